"""Several cores share the products of a large run: the same bits as by a single one, whoever computes what."""

import pytest

from tests.engines.fused_cases import Result, descents, spec
from workers.lab.engines.descents import Clock, Snapshots
from workers.lab.engines.fused import engine as fused
from workers.lab.engines.fused import kernels, sharing
from workers.records import Budget, Outcome
from workers.runs.spec import RunSpec

pytestmark = pytest.mark.slow


def large(**changes) -> list[RunSpec]:
    common = {
        "problem": {"kind": "low_rank_completion", "shape": [70, 61], "rank": 2, "observed": 1500},
        "model": {"kind": "deep_matrix", "depth": 3, "hidden_width": 120},
        "init": {"kind": "gaussian", "std": 0.1},
        "stop": {"max_steps": 40},
        "record": {"every": 9},
    }
    return [spec(**{**common, **changes}, seed=seed) for seed in range(2)]


def computed(specs: list[RunSpec], cores: int, steps: int = 1000) -> Result:
    """Slices of so many steps, each with so many cores."""
    batch, parts = descents(specs), list[Snapshots]()
    while None in batch.outcomes:
        parts.append(fused.advance(batch, Clock(Budget(60, steps, cores)), "cpu"))
    return Result(batch, parts)


@pytest.fixture(autouse=True)
def shared_sooner(monkeypatch):
    """Runs are shared from a size on at which they are still quick to test."""
    monkeypatch.setattr(fused, "SHARED_FROM", 1_000_000)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("cores", [2, 3])
def test_any_number_of_cores_gives_the_same_bits(cores: int, precision: str) -> None:
    specs = large(precision=precision)
    alone = computed(specs, 1)
    assert set(alone.batch.outcomes) == {Outcome.BUDGET_EXHAUSTED}
    assert computed(specs, cores).every_run() == alone.every_run()
    assert computed(specs, cores, steps=7).every_run() == alone.every_run()


def test_a_run_that_diverges_ends_alike() -> None:
    specs = large(optimizer={"kind": "gradient_descent", "learning_rate": 100.0})
    alone = computed(specs, 1)
    assert set(alone.batch.outcomes) == {Outcome.DIVERGED}
    assert computed(specs, 2).every_run() == alone.every_run()


def test_helpers_go_home_with_every_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the launch fails."""
    started = list[kernels.threading.Thread]()

    class Noted(kernels.threading.Thread):
        def start(self) -> None:
            started.append(self)
            super().start()

    monkeypatch.setattr(kernels.threading, "Thread", Noted)
    computed(large()[:1], 3)
    assert len(started) >= 2
    assert not any(thread.is_alive() for thread in started)
    launch, count = kernels.wp.launch, len(started)

    def fails(kernel, dim, inputs, device) -> None:
        if inputs[0] >= 0:
            raise RuntimeError("no launch")
        launch(kernel, dim=dim, inputs=inputs, device=device)

    monkeypatch.setattr(kernels.wp, "launch", fails)
    with pytest.raises(RuntimeError, match="no launch"):
        computed(large()[:1], 2)
    assert len(started) == count + 1
    assert not any(thread.is_alive() for thread in started)


def test_the_way_that_was_faster_is_taken() -> None:
    company = fused.Company(4)
    company.note(10, 9.0)  # the first launch, which does not count
    assert company.cores == 4
    company.note(10, 2.0)
    assert company.cores == 1
    company.note(10, 3.0)
    assert company.cores == 4
    company.note(10, 4.0)
    assert company.cores == 1
    assert fused.Company(1).cores == 1


def test_small_runs_and_gpus_share_nothing() -> None:
    for specs, device, cores, shared in (
        (large(), "cpu", 2, True),
        (large(), "cpu", 1, False),
        (large(), "cuda", 2, False),
        ([spec()], "cpu", 2, False),
    ):
        assert fused.program_of(descents(specs), 1, device, cores=cores).is_shared == shared


def test_a_desk_begins_with_a_cache_line() -> None:
    desk = sharing.new_desk()
    assert desk.ctypes.data % 64 == 0
    assert not desk.any()
    sharing.end(desk)
    assert desk.sum() == 1
