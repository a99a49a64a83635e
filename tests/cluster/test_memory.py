"""What has been computed is let go of: a dispatcher that runs for months takes no more memory than at first."""

import gc
from contextlib import closing

from service.dispatch.cluster import LocalDaskCluster
from tests.helpers.specs import member, spec
from workers.records import Batch, Budget

SLICES = 12


def batches_alive():
    gc.collect()
    return sum(type(one) is Batch for one in gc.get_objects())  # isinstance would ask objects that warn when asked


def test_batches_that_were_computed_are_not_kept():
    before = batches_alive()
    with closing(LocalDaskCluster(1)) as cluster:
        for seed in range(SLICES):
            result = cluster.submit(Batch((member(spec(seed=seed)),)), Budget(10, 1)).result(60)
            assert result.progress[0].checkpoint is not None
        assert batches_alive() - before < SLICES / 2
