"""Upgrades of a database to the newest schema."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from service.store.database import driver_url, shown_url
from service.store.unusable import UnusableDatabase, usable
from service.values.version import VERSION


def alembic_config(url: str) -> Config:
    """Alembic's settings for a database."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["url"] = url
    return config


def migrate(url: str) -> None:
    """Upgrade a database to the newest schema; an empty database gets all tables.

    Raises:
        UnusableDatabase: the database does not answer, cannot be changed, or has a schema unknown to this version.
    """
    config = alembic_config(url)
    config.attributes["upgrades"] = True
    try:
        with usable(url):
            command.upgrade(config, "head")
    except CommandError as error:
        raise UnusableDatabase(
            f"{shown_url(driver_url(url))} has a schema that Rankward {VERSION} does not know; it was most likely "
            f"written by a newer version: install that one, or restore a backup of this one ({error})."
        ) from error
