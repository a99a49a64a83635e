"""The dispatcher's process: stand by, lead with a cluster and the loop, end cleanly on a signal."""

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import structlog

from service.dispatch.housekeeping import keeping_house
from service.dispatch.leadership import Leadership
from service.dispatch.metrics import show_metrics
from service.errors import NotReady
from service.processes import logs
from service.processes.caches import lead_caches
from service.processes.garbage import spare_collector
from service.processes.signals import on_stop_signals
from service.settings import Settings
from service.store.database import DATABASE_AWAY, Database, describe
from service.store.dispatcher_lease import Deposed
from service.store.migrate import check_schema

if TYPE_CHECKING:
    from service.dispatch.cluster import Cluster

SECONDS_BETWEEN_LOOKS = 1.0
"""Interval at which a standby checks whether it may take over."""

_log = structlog.get_logger(__name__)


def run_dispatcher(settings: Settings) -> None:
    """Stand by and dispatch until SIGINT or SIGTERM, then store the slices in flight and return."""
    logs.configure("dispatcher")
    stopping = threading.Event()
    on_stop_signals(stopping.set)
    lead_caches(settings.data_dir)
    show_metrics(settings)
    with closing(Database(settings.url, settings.busy_seconds, pool=settings.pool)) as database:
        _wait_for_schema(database, stopping)
        leadership = Leadership(database, settings.dispatcher_name, settings.lease_seconds)
        while _stand_by(leadership, stopping):
            with leadership.beating(), keeping_house(database):
                _dispatch(database, settings, leadership, stopping)


def _dispatch(database: Database, settings: Settings, leadership: Leadership, stopping: threading.Event) -> None:
    from service.dispatch.loop import Dispatcher

    spare_collector()
    with closing(_cluster(settings)) as cluster:
        _log.info("dispatching", name=leadership.name, workers=cluster.worker_count())
        try:
            Dispatcher(database, cluster, settings, leadership, stopping).run()
        except Deposed as error:
            _log.warning("deposed", detail=error.detail)


def _cluster(settings: Settings) -> "Cluster":
    """Workers of this machine, or those of a scheduler; dask is imported late, because a standby does not need it."""
    from service.dispatch.cluster import LocalDaskCluster
    from service.dispatch.external import ExternalDaskCluster

    if settings.scheduler is not None:
        return ExternalDaskCluster(settings)
    return LocalDaskCluster(settings.workers, settings)


def _stand_by(leadership: Leadership, stopping: threading.Event) -> bool:
    """Wait until this dispatcher leads; returns False if it is stopped first."""
    said = False
    while not stopping.is_set():
        try:
            if leadership.try_to_lead():
                return True
            if not said:
                _log.info("standing by: another dispatcher is active", name=leadership.name)
            said = True
        except DATABASE_AWAY as error:
            _log.error("the database does not answer", error=describe(error))
        stopping.wait(SECONDS_BETWEEN_LOOKS)
    return False


def _wait_for_schema(database: Database, stopping: threading.Event) -> None:
    """Wait until the database answers and has the newest schema; each reason for waiting is logged once."""
    said = ""
    while not stopping.is_set():
        try:
            check_schema(database)
            return
        except (NotReady, *DATABASE_AWAY) as error:
            if said != (said := error.detail if isinstance(error, NotReady) else describe(error)):
                _log.warning("waiting for the database", detail=said)
        stopping.wait(SECONDS_BETWEEN_LOOKS)
