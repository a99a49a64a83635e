"""Metrics of this process (Prometheus); those of the dispatcher are in `service.dispatch.metrics`."""

import time
from typing import Any

import sqlalchemy as sa
from prometheus_client import Histogram
from sqlalchemy import event

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUEST_SECONDS = Histogram(
    "rankward_http_request_seconds",
    "Seconds from a request to the end of its answer.",
    ("method", "route", "status"),
    buckets=_FAST,
)
STATEMENT_SECONDS = Histogram(
    "rankward_database_statement_seconds", "Seconds of one SQL statement.", ("kind",), buckets=(0.0001, *_FAST)
)

_KINDS = ("select", "insert", "update", "delete")


def time_statements(engine: sa.Engine) -> None:
    """Observe how long the database takes for each statement of an engine."""

    def begin(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        context.begun = time.perf_counter()

    def end(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        kind = statement[:6].lower()
        seconds = time.perf_counter() - context.begun
        STATEMENT_SECONDS.labels(kind if kind in _KINDS else "other").observe(seconds)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
