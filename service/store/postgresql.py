"""PostgreSQL beneath SQLAlchemy: what its driver can do that SQLAlchemy has no words for."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from psycopg import Error as PsycopgError
from sqlalchemy.exc import DBAPIError


@contextmanager
def driver_errors(connection: sa.Connection, statement: str) -> Generator[None]:
    """Raise the driver's errors as SQLAlchemy does, which translates those of its own statements only."""
    try:
        yield
    except PsycopgError as error:
        raise DBAPIError.instance(statement, None, error, PsycopgError, dialect=connection.dialect) from error


def binary_cursor(connection: sa.Connection, query: sa.Select[Any]) -> Any:
    """A cursor of the driver's own on a query's rows, numbers in binary: as text they take twice the time to read."""
    compiled = query.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    driver: Any = connection.connection.driver_connection
    with driver_errors(connection, str(compiled)):
        return driver.cursor(binary=True).execute(str(compiled), compiled.params)
