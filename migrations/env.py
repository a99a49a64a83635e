"""Alembic's entry: runs migrations on the database whose URL the caller gave."""

import warnings
from contextlib import closing
from typing import Any, Literal

from alembic import context
from sqlalchemy import MetaData

from service.settings import Settings
from service.store.database import Database
from service.store.naming import empty_metadata

_UNSEEN = "(Skipped|autogenerate skipping) .*expression-based index"
"""On SQLite nobody can read such an index back to compare it; tests/store/test_short_ids.py asks whether it is used."""


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our own types as plain ones, so that a revision never changes with the service's code."""
    from service.store.tables import UtcTime

    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcTime) else False


def include_object(item: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
    """Compare everything but the foreign key of points, which PostgreSQL does without (docs/decisions/0019)."""
    return not (kind == "foreign_key_constraint" and item.table.name == "trajectory_points")


def declared() -> MetaData:
    """The tables to compare with a database; an upgrade compares nothing, and is spared what the tables import."""
    if context.config.attributes.get("upgrades"):
        return empty_metadata()
    from service.store.tables import metadata

    return metadata


def main() -> None:
    """Run the asked migrations in one transaction."""
    settings = Settings()
    url = context.config.attributes.get("url") or settings.url
    with (
        closing(Database(url, settings.busy_seconds, pool=settings.pool)) as database,
        database.migrating() as connection,
    ):
        context.configure(
            connection=connection,
            target_metadata=declared(),
            render_as_batch=True,
            render_item=render_item,
            include_object=include_object,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", _UNSEEN)
            context.run_migrations()


main()
