"""The dispatcher's process: a lock, a cluster, the loop, and a clean end on a signal."""

import structlog

from service import logs
from service.dispatch.cluster import Cluster, LocalDaskCluster
from service.dispatch.external import ExternalDaskCluster
from service.dispatch.loop import Dispatcher
from service.dispatch.metrics import show_metrics
from service.locks import hold
from service.settings import Settings
from service.signals import on_stop_signals
from service.store import leases
from service.store.database import Database
from service.store.migrate import check_schema

SECONDS_FOR_PREDECESSOR = 60.0
"""How long a dispatcher waits for the one before it to store its slices in flight and end."""

_log = structlog.get_logger(__name__)


def run_dispatcher(settings: Settings) -> None:
    """Dispatch until SIGINT or SIGTERM, then store the slices in flight and return."""
    logs.configure("dispatcher")
    show_metrics(settings)
    lock = hold(settings.data_dir, "dispatcher", SECONDS_FOR_PREDECESSOR)
    database = Database(settings.url)
    check_schema(database)
    with database.writing() as connection:
        released = leases.release_all(connection)  # the lock says that nobody else computes them
    cluster = _cluster(settings)
    dispatcher = Dispatcher(database, cluster, settings)
    on_stop_signals(dispatcher.stop)
    _log.info("dispatching", workers=cluster.worker_count(), resumed_runs=released)
    dispatcher.run()
    cluster.close()
    database.close()
    lock.release()


def _cluster(settings: Settings) -> Cluster:
    """Workers of this machine, or those behind a scheduler's address."""
    return LocalDaskCluster(settings.workers) if settings.scheduler is None else ExternalDaskCluster(settings)
