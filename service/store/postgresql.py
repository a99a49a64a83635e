"""PostgreSQL beneath SQLAlchemy: how connections are set up, and what the driver can do that SQLAlchemy cannot say."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from psycopg import Error as PsycopgError
from sqlalchemy.exc import DBAPIError

_CONNECTION = {
    "connect_timeout": 5,  # seconds until a machine that does not answer is given up
    "tcp_user_timeout": 20_000,  # milliseconds until a cut network is noticed while something is being sent
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
_SESSION = {
    "tcp_user_timeout": 20_000,
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
}
"""So that the server, too, notices within half a minute a machine that is gone, and lets go of its locks."""


def connect_args(url: str, busy_seconds: float) -> dict[str, Any]:
    """Arguments of a connection; what the URL itself says goes first.

    Args:
        busy_seconds: how long a statement waits for a lock.
    """
    session = {"lock_timeout": round(busy_seconds * 1000), **_SESSION}
    options = " ".join(f"-c {name}={value}" for name, value in session.items())
    defaults = {**_CONNECTION, "options": options}
    return {name: value for name, value in defaults.items() if name not in sa.make_url(url).query}


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
