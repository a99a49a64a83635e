"""The cluster: dask.distributed behind the shape of `concurrent.futures`."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from distributed import Client, Nanny, Scheduler, SpecCluster, Status

from service.dispatch.abandonment import abandon, slice_key
from service.dispatch.configuration import ONE_THREAD, PRIVATE_PAGES, configure_dask, temporary_security
from service.dispatch.scheduling import SCHEDULER
from service.errors import RankwardError
from service.processes.placement import places
from service.settings import Settings
from workers.records import Batch, Budget
from workers.results import SliceResult
from workers.slices import run_slice

_ENDED = (Status.closing, Status.closed, Status.failed)

LOOPBACK = "127.0.0.1"


class Cluster(Protocol):
    """Workers that compute slices."""

    def worker_count(self) -> int:
        """How many slices can be computed at once."""
        ...

    def may_have_gpus(self) -> bool:
        """Whether a slice may run on a GPU, whose time per run falls with every run added to the batch."""
        ...

    def submit(self, batch: Batch, budget: Budget) -> "Future[SliceResult]":
        """Compute a slice on some worker; the future is cancelled if the cluster loses the slice."""
        ...

    def abandon(self, slice_: "Future[SliceResult]") -> None:
        """Give up a submitted slice: its future is cancelled soon, and a worker that computes it is replaced."""
        ...

    def close(self) -> None:
        """Stop the workers this process started; workers of others keep running."""
        ...


class ClusterFailed(RankwardError):
    """The workers did not start, or are gone"""


class LocalDaskCluster:
    """Single-threaded worker processes on this machine, which listen on the loopback only, and let in only each other.

    Args:
        workers: how many; see `service.processes.placement.places`.
        settings: where the workers write, and how much memory they may keep; by default those of the environment.

    Raises:
        ClusterFailed: a worker process ended before it was ready.
    """

    def __init__(self, workers: int | None, settings: Settings | None = None) -> None:
        configure_dask(settings or Settings())
        environments = places(workers)
        self._on_gpus = any(environments)
        try:
            self._cluster = _start_workers(environments)
        except RuntimeError as error:
            raise ClusterFailed(f"{error} {error.__cause__ or ''}".strip()) from error
        self._client = Client(self._cluster)
        self._keys = WeakKeyDictionary[Future[SliceResult], str]()
        self._executor = self._client.get_executor(pure=False, retries=0)

    def worker_count(self) -> int:
        if all(nanny.status in _ENDED for nanny in self._cluster.workers.values()):
            raise ClusterFailed("All worker processes are gone and do not come back; start the dispatcher again.")
        return len(self._cluster.workers)

    def may_have_gpus(self) -> bool:
        return self._on_gpus

    def submit(self, batch: Batch, budget: Budget) -> "Future[SliceResult]":
        key = slice_key()
        future = self._executor.submit(run_slice, batch, budget, key=key)
        self._keys[future] = key
        return future

    def abandon(self, slice_: "Future[SliceResult]") -> None:
        if (key := self._keys.get(slice_)) is not None:
            abandon(self._client, key, slice_.cancel)

    def close(self) -> None:
        self._client.close()
        self._cluster.close()


def _start_workers(environments: Sequence[Mapping[str, str]]) -> SpecCluster:
    security = temporary_security()
    loopback: dict[str, Any] = {"host": LOOPBACK, "protocol": "tls", "security": security, **PRIVATE_PAGES}
    specs = {
        worker: {"cls": Nanny, "options": {**ONE_THREAD, **loopback, "env": environment}}
        for worker, environment in enumerate(environments)
    }
    scheduler = {"cls": Scheduler, "options": {**loopback, **SCHEDULER}}
    return SpecCluster(workers=specs, scheduler=scheduler, security=security, name="rankward")
