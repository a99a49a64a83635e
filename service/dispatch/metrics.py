"""Metrics of the dispatcher for Prometheus, and log lines for runs that are over.

The metrics have a separate registry and prefix, so that an API process can show them beside its metrics.
"""

import time
from collections import Counter as Counts
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

from service.settings import Settings
from service.store.leases import Lease
from service.store.tables import experiments, runs
from workers.results import SliceResult

REGISTRY = CollectorRegistry()
ProcessCollector(namespace="rankward_dispatcher", registry=REGISTRY)

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 2, 3, 5, 10, 30, 60)

SLICES = Counter("rankward_dispatcher_slices", "Slices by how they ended.", ("end",), registry=REGISTRY)
STEPS = Counter(
    "rankward_dispatcher_steps", "Steps computed and stored, of all runs.", ("engine", "device"), registry=REGISTRY
)
COMPUTE_SECONDS = Histogram(
    "rankward_dispatcher_slice_seconds", "Seconds a worker took for a slice.", buckets=_SECONDS, registry=REGISTRY
)
LATENCY_SECONDS = Histogram(
    "rankward_dispatcher_slice_latency_seconds",
    "Seconds from leasing the runs of a slice to having stored it.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
IN_FLIGHT = Gauge("rankward_dispatcher_slices_in_flight", "Slices at the cluster.", registry=REGISTRY)
WORKERS = Gauge("rankward_dispatcher_workers", "Slices the cluster can compute at once.", registry=REGISTRY)
ERRORS = Counter("rankward_dispatcher_errors", "Errors by kind.", ("kind",), registry=REGISTRY)

for end in ("stored", "lost", "failed", "abandoned"):
    SLICES.labels(end)

_log = structlog.get_logger(__name__)


def show_metrics(settings: Settings) -> None:
    """Serve the metrics on the settings' port, if there is one; a port in use is only logged, since runs can go on."""
    if settings.metrics_port is None:
        return
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, REGISTRY)
    except OSError as error:
        _log.error("no metrics", host=settings.metrics_host, port=settings.metrics_port, error=str(error))


@dataclass
class Reports:
    """Reports the fate of slices to metrics and log; called by the dispatcher."""

    _begun: dict[str, float] = field(default_factory=dict[str, float])

    def workers(self, count: int, in_flight: int) -> None:
        """Record the number of workers and of slices in flight."""
        WORKERS.set(count)
        IN_FLIGHT.set(in_flight)

    def started(self, lease: Lease) -> None:
        """A slice goes to the cluster."""
        self._begun[lease.token] = time.monotonic()

    def stored(self, connection: sa.Connection, lease: Lease, result: SliceResult) -> None:
        """A slice's result is being stored, in the transaction of `connection`."""
        self._ended(lease, "stored")
        COMPUTE_SECONDS.observe(result.seconds)
        STEPS.labels(result.engine, result.device).inc(_steps(lease, result))
        progress = result.progress
        over = [lease.run_ids[i] for i, end in enumerate(progress.outcome) if end is not None or i in progress.error]
        _say_over(_names(connection, over))

    def lost(self, lease: Lease) -> None:
        """The cluster lost a slice."""
        self._ended(lease, "lost")
        _log.warning("slice lost", runs=len(lease.run_ids), lease=lease.token)

    def abandoned(self, lease: Lease) -> None:
        """A slice was given up, because its runs were cancelled, deleted or changed."""
        self._ended(lease, "abandoned")
        _log.info("slice abandoned", runs=len(lease.run_ids), lease=lease.token)

    def failed(self, connection: sa.Connection, lease: Lease, error: str) -> None:
        """A slice, or storing it, ended in an error."""
        self._ended(lease, "failed")
        named = [run_id for run_id, *_ in _names(connection, lease.run_ids[:MOST_NAMED])]
        _log.error("slice failed", runs=len(lease.run_ids), first_runs=named, lease=lease.token, error=error)

    def given_back(self, released: int) -> None:
        """Runs were leased to no slice in flight."""
        ERRORS.labels("lease").inc()
        _log.warning("runs given back that no slice in flight has", runs=released)

    def error(self, kind: str, error: str) -> None:
        """Something else went wrong."""
        ERRORS.labels(kind).inc()
        _log.error(f"the {kind} does not answer", error=error)

    def _ended(self, lease: Lease, end: str) -> None:
        SLICES.labels(end).inc()
        if (begun := self._begun.pop(lease.token, None)) is not None:
            LATENCY_SECONDS.observe(time.monotonic() - begun)


MOST_NAMED = 10
"""Runs of a slice that the log names individually."""

_AT_ONCE = 500


def _say_over(ended: Sequence[tuple[str, str, str, str | None]]) -> None:
    """Log one line per run, or for many runs one line per failed run and one per group of equal endings."""
    failed = [run for run in ended if run[2] == "failed"]
    for run_id, experiment_id, status, outcome in ended if len(ended) <= MOST_NAMED else failed[:MOST_NAMED]:
        _log.info("run over", run=run_id, experiment=experiment_id, status=status, outcome=outcome)
    if len(ended) > MOST_NAMED:
        for (experiment_id, status, outcome), count in Counts(run[1:] for run in ended).items():
            _log.info("runs over", runs=count, experiment=experiment_id, status=status, outcome=outcome)


def _names(connection: sa.Connection, run_ids: Sequence[int]) -> list[tuple[str, str, str, str | None]]:
    """Public ids of runs and their experiments, status and outcome."""
    query = sa.select(runs.c.public_id, experiments.c.public_id, runs.c.status, runs.c.outcome).join(
        experiments, runs.c.experiment_id == experiments.c.id
    )
    parts = (run_ids[begin : begin + _AT_ONCE] for begin in range(0, len(run_ids), _AT_ONCE))
    return [(*row,) for part in parts for row in connection.execute(query.where(runs.c.id.in_(part)))]


def _steps(lease: Lease, result: SliceResult) -> int:
    begun, checkpoints = result.progress.begun, [member.checkpoint for member in lease.batch.members]
    before = [0 if checkpoint is None else checkpoint.step for checkpoint in checkpoints]
    return int((result.progress.step - before)[begun].sum())
