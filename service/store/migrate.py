"""Bringing a database to the newest schema."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from service.errors import NotReady, RankwardError
from service.store.database import Database, describe, driver_url, shown_url


class CannotMigrate(RankwardError):
    """The database cannot be used"""


def alembic_config(url: str) -> Config:
    """Alembic's settings for a database."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["url"] = url
    return config


def migrate(url: str) -> None:
    """Upgrade a database to the newest schema; an empty one is filled.

    Raises:
        CannotMigrate: it does not answer, or cannot be changed.
    """
    try:
        command.upgrade(alembic_config(url), "head")
    except DBAPIError as error:
        raise CannotMigrate(f"{shown_url(driver_url(url))}: {describe(error)}") from error


def check_schema(database: Database) -> None:
    """Raise NotReady unless the database has the newest schema."""
    newest = ScriptDirectory.from_config(alembic_config(database.url)).get_current_head()
    with database.reading() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != newest:
        raise NotReady("The database does not have the newest schema; run `rankward migrate`.")
