"""The cluster: dask.distributed behind the shape of `concurrent.futures`.

The database holds the truth and slices are idempotent, so all that is asked of a cluster is transport, placement and
liveness. What dask does beyond that (stealing, retries, killing on memory) is switched off here.
"""

from concurrent.futures import Future
from typing import Any, Protocol

import dask.config
from distributed import Client, LocalCluster

from service.errors import RankwardError
from workers.records import Batch, Budget, SliceResult
from workers.slices import run_slice

_CONFIGURATION: dict[str, Any] = {
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.deploy.lost-worker-timeout": "600s",  # who is not back by then is dropped for good
    "distributed.worker.preload": ["workers.execution"],
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.large-graph-warning-threshold": "1GB",
}


class Cluster(Protocol):
    """Workers that compute slices."""

    def worker_count(self) -> int:
        """How many slices can be computed at once."""
        ...

    def submit(self, batch: Batch, budget: Budget) -> "Future[SliceResult]":
        """Compute a slice on some worker."""
        ...

    def close(self) -> None:
        """Stop the workers."""
        ...


class ClusterFailed(RankwardError):
    """The workers did not start, or are gone"""


class LocalDaskCluster:
    """Worker processes on this machine, each with one thread.

    Raises:
        ClusterFailed: a worker process ended before it was ready.
    """

    def __init__(self, workers: int) -> None:
        dask.config.set(_CONFIGURATION)
        try:
            self._cluster = _start_workers(workers)
        except RuntimeError as error:
            raise ClusterFailed(f"{error} {error.__cause__ or ''}".strip()) from error
        self._client = Client(self._cluster)
        self._executor = self._client.get_executor(pure=False, retries=0)

    def worker_count(self) -> int:
        if not self._cluster.workers:
            raise ClusterFailed("All worker processes are gone and do not come back; start the dispatcher again.")
        return len(self._cluster.workers)

    def submit(self, batch: Batch, budget: Budget) -> "Future[SliceResult]":
        return self._executor.submit(run_slice, batch, budget)

    def close(self) -> None:
        self._client.close()
        self._cluster.close()


def _start_workers(workers: int) -> LocalCluster:
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",  # a free port; the default one may be taken by another cluster
        memory_limit=0,
    )
