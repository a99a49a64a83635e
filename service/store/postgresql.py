"""PostgreSQL beneath SQLAlchemy: options of connections, and features of the driver that SQLAlchemy lacks."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from service.values.pools import Pool

_CONNECTION = {
    "connect_timeout": 5,  # seconds until an unresponsive machine is given up
    "tcp_user_timeout": 20_000,  # milliseconds until a cut network is noticed during a send
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
"""With these the server, too, notices a lost client within half a minute, and releases its locks."""


def connect_args(url: str, busy_seconds: float, pool: Pool) -> dict[str, Any]:
    """Arguments of a connection; those in the URL take precedence.

    PgBouncer refuses options of a session, and its sessions change between transactions: nothing is prepared in them.

    Args:
        busy_seconds: time that a statement waits for a lock.
    """
    session = {"lock_timeout": _milliseconds(busy_seconds), **_SESSION}
    options = " ".join(f"-c {name}={value}" for name, value in session.items())
    of_session: dict[str, Any] = {"prepare_threshold": None} if pool.is_shared else {"options": options}
    return {name: value for name, value in (_CONNECTION | of_session).items() if name not in sa.make_url(url).query}


def wait_for_locks(engine: sa.Engine, busy_seconds: float) -> None:
    """Let the statements of each transaction wait so long for a lock, where no session can be told so."""
    statement = f"SET LOCAL lock_timeout = {_milliseconds(busy_seconds)}"

    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(statement)

    event.listen(engine, "begin", begin)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


@contextmanager
def driver_errors(connection: sa.Connection, statement: str) -> Generator[None]:
    """Translate the driver's errors as SQLAlchemy does for the statements that it runs itself."""
    errors = connection.dialect.loaded_dbapi.Error  # psycopg itself is not imported where the database is SQLite
    try:
        yield
    except errors as error:
        raise DBAPIError.instance(statement, None, error, errors, dialect=connection.dialect) from error


def copy_in(connection: sa.Connection, statement: str, blocks: Iterable[bytes]) -> None:
    """Send blocks of bytes to a COPY FROM STDIN, in the transaction of a connection."""
    driver: Any = connection.connection.driver_connection
    with driver_errors(connection, statement), driver.cursor() as cursor, cursor.copy(statement) as copy:
        for block in blocks:
            copy.write(block)


def binary_cursor(connection: sa.Connection, query: sa.Select[Any]) -> Any:
    """A driver's cursor on a query's rows, with binary numbers: texts would take twice the time to read.

    Nothing is prepared, so that each plan is made for the values at hand, which may be a list of a thousand ids.
    """
    compiled = query.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    driver: Any = connection.connection.driver_connection
    values = {name: _bound(connection.dialect, compiled, name, value) for name, value in compiled.params.items()}
    with driver_errors(connection, str(compiled)):
        return driver.cursor(binary=True).execute(str(compiled), values, prepare=False)


def _bound(dialect: sa.Dialect, compiled: sa.Compiled, name: str, value: Any) -> Any:
    """The value of a parameter as SQLAlchemy hands it to the driver."""
    bind = getattr(compiled, "binds", {}).get(name)
    convert = None if bind is None else bind.type.dialect_impl(dialect).bind_processor(dialect)
    return value if convert is None else convert(value)
