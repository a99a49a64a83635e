"""A cluster that computes in the calling thread, for tests of everything around it."""

from concurrent.futures import Future

from workers.records import Batch, Budget
from workers.results import SliceResult
from workers.slices import run_slice


class InlineCluster:
    """Computes a slice while it is being submitted. Tests may put exceptions into `failures`, to be raised in turn."""

    def __init__(self, steps: int | None = None) -> None:
        self.failures: list[BaseException] = []
        self.batches: list[Batch] = []
        self._steps = steps

    def worker_count(self) -> int:
        return 1

    def may_have_gpus(self) -> bool:
        return False

    def submit(self, batch: Batch, budget: Budget) -> Future[SliceResult]:
        self.batches.append(batch)
        future: Future[SliceResult] = Future()
        if self.failures:
            future.set_exception(self.failures.pop(0))
        else:
            future.set_result(run_slice(batch, Budget(budget.seconds, self._steps)))
        return future

    def abandon(self, slice_: Future[SliceResult]) -> None:
        slice_.cancel()

    def close(self) -> None:
        pass
