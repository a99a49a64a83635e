"""The configuration of dask in every process of the service, and the security of its connections.

The database holds the truth and slices are idempotent, so a cluster only has to provide transport, placement and
liveness. What else dask does (retries, killing on memory) is switched off in this module; stealing, and measurements of
submissions, in `service.dispatch.scheduling`.
"""

import logging
from typing import Any
from urllib.parse import urlsplit

import dask.config
from distributed.security import Security

from service.dispatch.renewal import MOST_BYTES
from service.errors import RankwardError
from service.processes.caches import private_directory
from service.processes.certificates import ROLES, new_certificates
from service.processes.logs import take_over_libraries
from service.settings import Settings
from service.values.addresses import is_loopback

CONFIGURATION: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.deploy.lost-worker-timeout": "600s",  # a worker that is away for longer is dropped for good
    "distributed.worker.preload": ["service.dispatch.loading", "service.dispatch.renewal"],
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.admin.tick.interval": "1s",  # measures an event loop's delay; by default fifty times a second
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.low-level-log-length": 1,  # messages kept for dask's developers: each holds a complete batch
    "distributed.diagnostics.computations.max-history": 1,  # submissions that dask's pages show
}
ONE_THREAD: dict[str, Any] = {"nthreads": 1, "memory_limit": 0, "silence_logs": logging.WARNING}
"""Options of a worker process: one thread, and no memory limit that would kill it in the middle of a slice."""

TEMPORARY_DAYS = 3650
"""How long temporary certificates hold: longer than any process lives."""

PRIVATE_PAGES: dict[str, Any] = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
"""dask's web pages, on a free port of the loopback because they do not check API keys."""


class UnsafeCluster(RankwardError):
    """The cluster would be open to everybody"""


def configure_dask(settings: Settings) -> None:
    """Configure dask in this process and in those it starts.

    dask's usual directory is /tmp/dask-scratch-space, which another user may have made. It is on the path of imports,
    so whoever writes there runs code in the workers and the dispatcher. Here it is one in the data directory, or a new
    temporary one.
    """
    directory = private_directory(settings.data_dir, "workers")
    dask.config.set({**CONFIGURATION, "temporary-directory": str(directory), MOST_BYTES: settings.worker_memory_bytes})
    take_over_libraries()


def security_of(settings: Settings, address: str) -> Security:
    """Security of connections to (or of) a scheduler at an address such as tls://host:8786.

    Raises:
        UnsafeCluster: plain TCP beyond the loopback. Anybody who reaches a dask scheduler can run code on its
            workers, so mutual TLS is required.
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


def temporary_security() -> Security:
    """Mutual TLS with certificates that exist in the memory of this process and of those that it starts alone.

    Without it every user of the machine could run code on the workers, through the scheduler's port on the loopback.
    """
    pem = {name: content.decode() for name, content in new_certificates(["127.0.0.1"], TEMPORARY_DAYS).items()}
    return Security(
        require_encryption=True,
        tls_ca_file=pem["ca.pem"],
        **{f"tls_{role}_cert": pem[f"{role}.pem"] for role in ROLES},
        **{f"tls_{role}_key": pem[f"{role}.key"] for role in ROLES},
    )


def _mutual_tls(settings: Settings) -> Security:
    files = {
        "RANKWARD_TLS_CA": settings.tls_ca,
        "RANKWARD_TLS_CERT": settings.tls_cert,
        "RANKWARD_TLS_KEY": settings.tls_key,
    }
    for name, path in files.items():
        if path is None or not path.is_file():
            mistake = "is not set" if path is None else f"names {path}, which is no file"
            raise UnsafeCluster(
                f"tls:// needs certificates, and {name} {mistake}; `rankward certificates DIR` makes them."
            )
    cert, key = str(settings.tls_cert), str(settings.tls_key)
    return Security(
        require_encryption=True,
        tls_ca_file=str(settings.tls_ca),
        **{f"tls_{role}_cert": cert for role in ROLES},
        **{f"tls_{role}_key": key for role in ROLES},
    )
