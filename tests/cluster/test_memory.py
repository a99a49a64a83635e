"""What has been computed is let go of: a dispatcher that runs for months takes no more memory than at first."""

import gc
import time
from contextlib import closing

from distributed.scheduler import TaskGroup
from distributed.spans import Span

from service.dispatch.cluster import LocalDaskCluster
from tests.helpers.specs import member, spec
from workers.records import Batch, Budget

SLICES = 12


KINDS = (Batch, TaskGroup, Span)
"""What stands for a slice here and at dask's scheduler."""


def alive():
    gc.collect()
    kinds = [type(one) for one in gc.get_objects()]  # isinstance would ask objects that warn when asked
    return {kind.__name__: kinds.count(kind) for kind in KINDS}


def until_forgotten(cluster):
    """Until the scheduler, which stands still between two slices, has nothing to do."""
    deadline = time.monotonic() + 60
    while cluster._cluster.scheduler.tasks:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_nothing_is_kept_of_slices_that_were_computed():
    before = alive()
    with closing(LocalDaskCluster(1)) as cluster:
        for seed in range(SLICES):
            result = cluster.submit(Batch((member(spec(seed=seed)),)), Budget(10, 1)).result(60)
            assert result.progress[0].checkpoint is not None
            until_forgotten(cluster)
        for name, count in alive().items():
            assert count - before[name] < SLICES / 2, name
