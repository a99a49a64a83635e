"""A database that does not answer or cannot be changed, as a sentence for whoever started a command."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.errors import RankwardError
from service.store.database import describe, driver_url, shown_url


class UnusableDatabase(RankwardError):
    """The database cannot be used"""


@contextmanager
def usable(url: str) -> Generator[None]:
    """Work on a database.

    Raises:
        UnusableDatabase: the database does not answer, or cannot be changed.
    """
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        raise UnusableDatabase(f"{shown_url(driver_url(url))}: {describe(error)}") from error
