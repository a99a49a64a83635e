"""The cluster: dask.distributed behind the shape of `concurrent.futures`."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from distributed import Client, Nanny, Scheduler, SpecCluster

from service.dispatch.configuration import ONE_THREAD, PRIVATE_PAGES, configure_dask
from service.errors import RankwardError
from service.processes.placement import places
from workers.records import Batch, Budget, SliceResult
from workers.slices import run_slice

LOOPBACK = "127.0.0.1"


class Cluster(Protocol):
    """Workers that compute slices."""

    def worker_count(self) -> int:
        """How many slices can be computed at once."""
        ...

    def may_have_gpus(self) -> bool:
        """Whether a slice may be computed on a GPU, which is the faster for every run that a batch has more."""
        ...

    def submit(self, batch: Batch, budget: Budget) -> "Future[SliceResult]":
        """Compute a slice on some worker; a future that was cancelled says that the cluster lost the slice."""
        ...

    def close(self) -> None:
        """Stop the workers, or leave them where they are not ours."""
        ...


class ClusterFailed(RankwardError):
    """The workers did not start, or are gone"""


class LocalDaskCluster:
    """Worker processes on this machine, each with one thread, and nothing that listens beyond the loopback.

    Args:
        workers: how many; see `service.processes.placement.places`.

    Raises:
        ClusterFailed: a worker process ended before it was ready.
    """

    def __init__(self, workers: int | None) -> None:
        configure_dask()
        where = places(workers)
        self._on_gpus = any(where)
        try:
            self._cluster = _start_workers(where)
        except RuntimeError as error:
            raise ClusterFailed(f"{error} {error.__cause__ or ''}".strip()) from error
        self._client = Client(self._cluster)
        self._executor = self._client.get_executor(pure=False, retries=0)

    def worker_count(self) -> int:
        if not self._cluster.workers:
            raise ClusterFailed("All worker processes are gone and do not come back; start the dispatcher again.")
        return len(self._cluster.workers)

    def may_have_gpus(self) -> bool:
        return self._on_gpus

    def submit(self, batch: Batch, budget: Budget) -> "Future[SliceResult]":
        return self._executor.submit(run_slice, batch, budget)

    def close(self) -> None:
        self._client.close()
        self._cluster.close()


def _start_workers(where: Sequence[Mapping[str, str]]) -> SpecCluster:
    here: dict[str, Any] = {"host": LOOPBACK, **PRIVATE_PAGES}
    specs = {place: {"cls": Nanny, "options": {**ONE_THREAD, **here, "env": env}} for place, env in enumerate(where)}
    return SpecCluster(workers=specs, scheduler={"cls": Scheduler, "options": here}, name="rankward")
