"""How dask is set up wherever it runs for us, and who may speak to it.

The database holds the truth and slices are idempotent, so all that is asked of a cluster is transport, placement and
liveness. What dask does beyond that (stealing, retries, killing on memory) is switched off here.
"""

import logging
from typing import Any
from urllib.parse import urlsplit

import dask.config
from distributed.security import Security

from service.errors import RankwardError
from service.processes.logs import take_over_libraries
from service.settings import Settings
from service.values.addresses import is_loopback

CONFIGURATION: dict[str, Any] = {
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.deploy.lost-worker-timeout": "600s",  # who is not back by then is dropped for good
    "distributed.worker.preload": ["workers.lab.execution"],
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.admin.tick.interval": "1s",  # how late an event loop is: fifty looks a second of each by default
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.low-level-log-length": 1,  # of messages kept for dask's developers: each holds a whole batch
}
ONE_THREAD: dict[str, Any] = {"nthreads": 1, "memory_limit": 0, "silence_logs": logging.WARNING}
"""What a worker process is: one thread, and no limit that would kill it in the middle of a slice."""

PRIVATE_PAGES: dict[str, Any] = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
"""dask's own web pages, on a free port of the loopback: they know no keys."""


class UnsafeCluster(RankwardError):
    """The cluster would be open to everybody"""


def configure_dask() -> None:
    """Set up dask in this process and in those it starts."""
    dask.config.set(CONFIGURATION)
    take_over_libraries()


def security_of(settings: Settings, address: str) -> Security:
    """How to speak to (or as) a scheduler at an address such as tls://host:8786.

    Raises:
        UnsafeCluster: whoever reaches a dask scheduler can run code on its workers, so beyond the loopback only
            mutual TLS will do.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("tls", "tcp") or not parts.hostname:
        raise UnsafeCluster(f"{address!r} is not the address of a scheduler; give one such as tls://scheduler:8786.")
    if parts.scheme == "tls":
        return _mutual_tls(settings)
    if not is_loopback(parts.hostname):
        raise UnsafeCluster(
            f"{address} is plain TCP beyond this machine, and whoever reaches a scheduler can run code on its workers; "
            "use tls:// with certificates (`rankward certificates DIR` makes them)."
        )
    return Security()


def _mutual_tls(settings: Settings) -> Security:
    files = {
        "RANKWARD_TLS_CA": settings.tls_ca,
        "RANKWARD_TLS_CERT": settings.tls_cert,
        "RANKWARD_TLS_KEY": settings.tls_key,
    }
    for name, path in files.items():
        if path is None or not path.is_file():
            what = "is not set" if path is None else f"names {path}, which is no file"
            raise UnsafeCluster(
                f"tls:// needs certificates, and {name} {what}; `rankward certificates DIR` makes them."
            )
    cert, key = str(settings.tls_cert), str(settings.tls_key)
    return Security(
        require_encryption=True,
        tls_ca_file=str(settings.tls_ca),
        **{f"tls_{role}_cert": cert for role in ("client", "scheduler", "worker")},
        **{f"tls_{role}_key": key for role in ("client", "scheduler", "worker")},
    )
