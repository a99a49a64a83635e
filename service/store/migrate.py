"""Bringing a database to the newest schema."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

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


def is_current(database: Database) -> bool:
    """Whether the database has the newest schema."""
    newest = ScriptDirectory.from_config(alembic_config(database.url)).get_current_head()
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision() == newest
