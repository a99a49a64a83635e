"""How a process connects to PostgreSQL."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pool:
    """A process's connections.

    Attributes:
        size: kept open.
        overflow: further ones, opened while all are in use, and closed after that.
        is_shared: whether PgBouncer hands sessions out by transactions, so that nothing may be kept in one.
    """

    size: int = 5
    overflow: int = 10
    is_shared: bool = False
