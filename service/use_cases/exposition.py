"""The content of `/metrics`: this process, the runs in the database, and a dispatcher beside it."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from threading import Lock
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, build_opener

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.store.database import Database
from service.store.dispatchers import dispatchers_at_work
from service.store.statistics import count_by_status, waiting_runs
from service.values.addresses import is_this_machine

SECONDS_BETWEEN_COUNTS = 10.0
"""Interval between counts, which are slow with millions of runs; scrapes in between get the last counts."""

SECONDS_FOR_DISPATCHER = 1.0


class Exposition:
    """Collects metrics for scrapes.

    Args:
        dispatcher_url: URL of a dispatcher's metrics to include, if any.
    """

    def __init__(self, database: Database, dispatcher_url: str | None) -> None:
        self._dispatcher_url = dispatcher_url
        self._runs = CollectorRegistry(auto_describe=False)
        self._runs.register(_Runs(database))

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        metrics = generate_latest(REGISTRY) + generate_latest(self._runs)
        return metrics if self._dispatcher_url is None else metrics + _fetch(self._dispatcher_url)


class _Runs(Collector):
    """Gauges read from the database, equal in all API processes."""

    def __init__(self, database: Database) -> None:
        self._database, self._lock = database, Lock()
        self._last_counts: list[GaugeMetricFamily] = []
        self._until = 0.0

    def collect(self) -> Iterable[GaugeMetricFamily]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._last_counts = self._count()
                self._until = time.monotonic() + SECONDS_BETWEEN_COUNTS
            return self._last_counts

    def _count(self) -> list[GaugeMetricFamily]:
        with self._database.reading() as connection:
            counts, (waiting, oldest) = count_by_status(connection), waiting_runs(connection)
            working = len(dispatchers_at_work(connection).names)
        runs = GaugeMetricFamily("rankward_runs", "Runs by status.", labels=["status"])
        for status, count in counts.items():
            runs.add_metric([status], count)
        age = 0.0 if oldest is None else (datetime.now(UTC) - oldest).total_seconds()
        depth = GaugeMetricFamily("rankward_queue_depth", "Runs that wait for a worker.", value=waiting)
        dispatchers = GaugeMetricFamily("rankward_dispatchers", "Dispatchers at work.", value=working)
        return [
            runs,
            depth,
            GaugeMetricFamily("rankward_queue_oldest_seconds", "Wait of the oldest.", value=age),
            dispatchers,
        ]


def _opener(url: str) -> OpenerDirector:
    """Through the environment's proxy, unless the dispatcher is on this machine, to which no proxy leads."""
    return build_opener(ProxyHandler({})) if is_this_machine(urlsplit(url).hostname or "") else build_opener()


def _fetch(url: str) -> bytes:
    try:
        with _opener(url).open(url, timeout=SECONDS_FOR_DISPATCHER) as answer:
            return answer.read()
    except OSError:
        return b"# The dispatcher does not show its metrics.\n"
