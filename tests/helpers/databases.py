"""Migrated databases for every test: files are copied, those of PostgreSQL are emptied for the next test."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import pytest

from service.store.migrate import migrate
from tests.helpers.emptying import emptied, make_up
from tests.helpers.postgresql import PostgreSQL

BOTH_DATABASES = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
"""Marks tests (or, as `pytestmark`, a file) to run on SQLite and on PostgreSQL; the others run on SQLite alone."""


class Templates:
    """Hands out databases of either kind; the PostgreSQL server starts when it is first asked for.

    Args:
        folder: where the SQLite template lives.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._emptied: list[str] = []

    @contextmanager
    def sqlite(self, path: Path) -> Generator[str]:
        """The URL of a migrated SQLite file at `path`."""
        shutil.copyfile(self._sqlite_template, path)
        yield f"sqlite:///{path}"

    @contextmanager
    def postgresql(self) -> Generator[str]:
        """The URL of a migrated PostgreSQL database, new or emptied, which takes a fraction of the time."""
        name = self._emptied.pop() if self._emptied else self.server.create(self._postgresql_template)
        yield self.server.url(name)
        if emptied(self.server.url(name), self._make_up):
            self._emptied.append(name)
        else:
            self.server.drop(name)

    @cached_property
    def server(self) -> PostgreSQL:
        """The PostgreSQL server of this test session."""
        return PostgreSQL().__enter__()

    def close(self) -> None:
        """Stop the server, if there is one."""
        if "server" in self.__dict__:
            self.server.__exit__()

    @cached_property
    def _sqlite_template(self) -> Path:
        template = self._folder / "template.db"
        migrate(f"sqlite:///{template}")
        return template

    @cached_property
    def _postgresql_template(self) -> str:
        name = self.server.create()
        migrate(self.server.url(name))
        return name

    @cached_property
    def _make_up(self) -> dict[str, str]:
        return make_up(self.server.url(self._postgresql_template))
