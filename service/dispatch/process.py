"""The dispatcher's process: join those at work, dispatch with a cluster and the loop, end cleanly on a signal."""

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import structlog

from service.dispatch.heart import beating
from service.dispatch.housekeeping import keeping_house
from service.dispatch.membership import Membership
from service.dispatch.metrics import show_metrics
from service.errors import NotReady
from service.processes import logs
from service.processes.caches import lead_caches
from service.processes.garbage import loading
from service.processes.signals import on_stop_signals
from service.settings import Settings
from service.store.database import DATABASE_AWAY, Database, describe
from service.store.dispatchers import Deposed
from service.store.schema import check_schema

if TYPE_CHECKING:
    from service.dispatch.cluster import Cluster

SECONDS_BETWEEN_LOOKS = 1.0
"""Interval at which a dispatcher looks for a database."""

_log = structlog.get_logger(__name__)


def run_dispatcher(settings: Settings) -> None:
    """Dispatch, on SQLite once no other does, until SIGINT or SIGTERM, then store the slices in flight and return."""
    logs.configure("dispatcher")
    stopping = threading.Event()
    on_stop_signals(stopping.set)
    lead_caches(settings.data_dir)
    show_metrics(settings)
    with closing(Database(settings.url, settings.busy_seconds, pool=settings.pool)) as database:
        _wait_for_schema(database, stopping)
        membership = Membership(database, settings.dispatcher_name, settings.lease_seconds, settings.scheduler)
        while _join(membership, stopping):
            with beating(membership), keeping_house(database, membership):
                _dispatch(database, settings, membership, stopping)


def _dispatch(database: Database, settings: Settings, membership: Membership, stopping: threading.Event) -> None:
    with loading():
        from service.dispatch.loop import Dispatcher

    with closing(_cluster(settings)) as cluster:
        _log.info("dispatching", name=membership.name, workers=cluster.worker_count())
        try:
            Dispatcher(database, cluster, settings, membership, stopping).run()
        except Deposed as error:
            _log.warning("deposed", detail=error.detail)


def _cluster(settings: Settings) -> "Cluster":
    """Workers of this machine, or those of a scheduler; dask is imported late, because a standby does not need it."""
    with loading():
        from service.dispatch.cluster import LocalDaskCluster
        from service.dispatch.external import ExternalDaskCluster

    if settings.scheduler is not None:
        return ExternalDaskCluster(settings)
    return LocalDaskCluster(settings.workers, settings)


def _join(membership: Membership, stopping: threading.Event) -> bool:
    """Wait until this dispatcher has a lease; returns False if it is stopped first."""
    said = False
    while not stopping.is_set():
        try:
            if membership.try_to_join():
                return True
            if not said:
                _log.info("standing by: another dispatcher is in the way", name=membership.name)
            said = True
        except DATABASE_AWAY as error:
            _log.error("the database does not answer", error=describe(error))
        stopping.wait(membership.seconds_between_looks)
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
