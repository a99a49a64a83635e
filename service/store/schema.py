"""Which schema a database has, and which it must have; Alembic upgrades, and readers do without it."""

from functools import cache
from importlib.resources import files

import sqlalchemy as sa

from service.errors import NotReady
from service.store.database import Database

_VERSION = sa.table("alembic_version", sa.column("version_num"))


def check_schema(database: Database) -> None:
    """Raise NotReady unless the database has the newest schema."""
    with database.reading() as connection:
        current = connection.scalar(sa.select(_VERSION)) if sa.inspect(connection).has_table(_VERSION.name) else None
    if current != newest_revision():
        raise NotReady("The database does not have the newest schema; run `rankward migrate`.")


@cache
def newest_revision() -> str:
    """The number of the newest revision, with which its file begins; read once, as every readiness check needs it."""
    names = (file.name for file in files("migrations").joinpath("versions").iterdir())
    return max(name.partition("_")[0] for name in names if name.endswith(".py"))
