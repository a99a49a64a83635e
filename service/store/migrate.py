"""Bringing a database to the newest schema."""

from functools import cache
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from service.errors import NotReady
from service.store.database import Database


def alembic_config(url: str) -> Config:
    """Alembic's settings for a database."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["url"] = url
    return config


def migrate(url: str) -> None:
    """Upgrade a database to the newest schema; an empty one is filled."""
    command.upgrade(alembic_config(url), "head")


@cache
def _newest_revision() -> str | None:
    """Read once: it is asked for with every look at the service's readiness."""
    return ScriptDirectory.from_config(alembic_config("")).get_current_head()


def check_schema(database: Database) -> None:
    """Raise NotReady unless the database has the newest schema."""
    with database.reading() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != _newest_revision():
        raise NotReady("The database does not have the newest schema; run `rankward migrate`.")
