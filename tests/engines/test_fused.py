"""The fused engine: its invariants hold to the bit; its numbers are those of the torch engine and of the authors."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines.fused_cases import CASES, Result, carry_on, complete, descents, ongoing, outcome_counts, spec
from workers.lab.engines.descent import engine as torch
from workers.lab.engines.descents import Clock, Descents
from workers.lab.engines.fused import engine as fused
from workers.records import Budget, Outcome
from workers.runs.milestones import no_milestones
from workers.runs.spec import RunSpec

REFERENCE = Path(__file__).parents[1] / "reference" / "data"
bits = settings(derandomize=True, deadline=None, max_examples=25)


@st.composite
def runs(draw: st.DrawFn) -> RunSpec:
    """Runs that differ in everything but the program: they converge, diverge or exhaust their steps."""
    record = draw(st.sampled_from([{"every": 1}, {"every": 7}, {"points_per_decade": 5}, {"points_per_decade": 1}]))
    return spec(
        problem={"kind": "perturbed_2x2", "z": draw(st.sampled_from([1.0, -2.0])), "epsilon": 0.1},
        optimizer={
            "kind": "gradient_descent",
            "learning_rate": draw(st.sampled_from([0.01, 0.1, 0.5, 1.0, 2.0])),
        },
        stop={"max_steps": draw(st.integers(0, 300)), "loss_below": draw(st.sampled_from([None, 1e-1, 1e-2]))},
        record=record,
        seed=draw(st.integers(0, 50)),
    )


batches = st.lists(runs(), min_size=1, max_size=20)
slices = st.lists(st.integers(1, 100), max_size=6)


@bits
@given(batches)
def test_alone_equals_batched(specs: list[RunSpec]) -> None:
    batched = complete(specs)
    for member, one in enumerate(specs):
        assert complete([one]).run(0) == batched.run(member)


@bits
@given(batches, slices)
def test_split_equals_unsplit(specs: list[RunSpec], cuts: list[int]) -> None:
    assert complete(specs, cuts).every_run() == complete(specs).every_run()


@bits
@given(batches, st.integers(1, 200))
def test_extended_equals_asked_for_from_the_start(specs: list[RunSpec], more: int) -> None:
    longer = [one.model_copy(update={"stop": _longer(one, more)}) for one in specs]
    short, whole = complete(specs), complete(longer)
    on = [member for member, outcome in enumerate(short.batch.outcomes) if outcome is Outcome.BUDGET_EXHAUSTED]
    if not on:
        return
    before = short.batch
    resumed = dataclasses.replace(
        ongoing(before, list(before.specs)),
        specs=[longer[member] for member in on],
        **{name: getattr(before, name)[on].copy() for name in ("steps", "states", "milestones", "begun")},
        outcomes=[None] * len(on),
    )
    extended = carry_on(resumed)
    for place, member in enumerate(on):
        *standing, later = extended.run(place)
        *asked, every = whole.run(member)
        earlier = short.run(member)[-1]
        assert standing == asked
        last = int(before.steps[member])
        assert every == {step: point for step, point in (earlier | later).items() if step != last or step in every}


def _longer(one: RunSpec, more: int):
    return one.stop.model_copy(update={"max_steps": one.stop.max_steps + more})


def test_a_million_steps_give_the_same_bits_alone_and_batched() -> None:
    specs = [spec(stop={"max_steps": 1_000_000}, seed=seed) for seed in range(9)]
    batched = complete(specs)
    for member in (0, 8):
        assert complete([specs[member]], cuts=[12_345]).run(0) == batched.run(member)


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_agrees_with_the_torch_engine(changes: dict) -> None:
    specs = [spec(**changes, seed=seed) for seed in range(3)]
    _agree(complete(specs), complete(specs, engine=torch.advance), 1e-9)
    assert complete([specs[1]]).every_run() == [complete(specs).run(1)]


def test_agrees_with_the_torch_engine_in_single_precision() -> None:
    stop = {"max_steps": 300, "loss_below": 1e-2}
    specs = [spec(precision="float32", stop=stop, seed=seed) for seed in range(18)]
    fused_result = complete(specs)
    _agree(fused_result, complete(specs, engine=torch.advance), 1e-3)
    assert complete([specs[17]]).run(0) == fused_result.run(17)


def _agree(ours: Result, theirs: Result, tolerance: float) -> None:
    assert ours.batch.steps.tolist() == theirs.batch.steps.tolist()
    assert ours.batch.outcomes == theirs.batch.outcomes
    assert ours.batch.milestones.tolist() == theirs.batch.milestones.tolist()
    assert ours.losses.keys() == theirs.losses.keys()
    assert list(ours.losses.values()) == pytest.approx([theirs.losses[key] for key in ours.losses], rel=tolerance)
    np.testing.assert_allclose(ours.batch.states, theirs.batch.states, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("completion_*.json")), ids=lambda path: path.stem)
def test_gives_the_numbers_of_the_authors(path: Path) -> None:
    reference = json.loads(path.read_text())
    problem = {"kind": "completion", "shape": reference["shape"], "observations": reference["observations"]}
    checkpoints = {point["step"]: point for point in reference["checkpoints"]}
    result = complete(
        [
            spec(
                problem=problem,
                model={"kind": "deep_matrix", "depth": reference["depth"]},
                init={"kind": "explicit", "factors": reference["init_factors"]},
                optimizer=reference["optimizer"],
                stop={"max_steps": max(checkpoints)},
                record={"every": int(np.gcd.reduce(list(checkpoints)))},
            )
        ]
    )
    shape = (reference["depth"], *reference["shape"])
    for step, point in checkpoints.items():
        tolerance = 1e-9 if step <= 1000 else 1e-6
        factors = np.frombuffer(result.points[0, step])[1:].reshape(shape)
        assert result.losses[0, step] == pytest.approx(point["loss"], rel=tolerance)
        np.testing.assert_allclose(np.linalg.multi_dot(factors), point["product"], rtol=tolerance, atol=1e-12)


def test_a_diverged_run_keeps_its_last_finite_state_and_harms_no_other() -> None:
    rates = [3.0, 0.02, 5.0, 0.02, 50.0, 0.02, 0.02, 0.02, 0.02]
    specs = [spec(optimizer={"kind": "gradient_descent", "learning_rate": rate}, seed=2) for rate in rates]
    result, reference = complete(specs), complete(specs, engine=torch.advance)
    assert outcome_counts(result) == {Outcome.DIVERGED, Outcome.CONVERGED}
    assert np.isfinite(result.batch.states).all()
    assert result.batch.outcomes == reference.batch.outcomes
    assert result.batch.steps.tolist() == reference.batch.steps.tolist()
    assert result.losses.keys() == reference.losses.keys()


def test_a_start_that_is_not_finite_ends_at_step_0() -> None:
    batch = descents([spec(), spec(seed=1)])
    batch.states[0, 5] = np.inf
    result = carry_on(batch)
    assert (batch.outcomes[0], int(batch.steps[0])) == (Outcome.DIVERGED, 0)
    assert result.run(1) == complete([spec(), spec(seed=1)]).run(1)


def test_a_run_gone_on_from_below_its_limit_takes_a_step_before_it_is_tested() -> None:
    first = complete([spec(stop={"max_steps": 100_000, "loss_below": 1e-2})])
    for engine in (fused.advance, torch.advance):
        again = carry_on(ongoing(first.batch, list(first.batch.specs)), engine=engine)
        assert again.batch.outcomes == [Outcome.CONVERGED]
        assert again.batch.steps[0] == first.batch.steps[0] + 1


def test_a_launch_records_no_more_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [spec(record={"every": 1}, stop={"max_steps": 500}, seed=seed) for seed in range(3)]
    whole = complete(specs)
    monkeypatch.setattr(fused, "LAUNCH_SNAPSHOT_BYTES", 5000)
    assert complete(specs).every_run() == whole.every_run()
    assert len(whole.points) == 3 * 501


def test_a_batch_without_runs_records_nothing() -> None:
    nothing = Descents([], np.zeros(0, np.int64), np.zeros((0, 12)), no_milestones(0), np.zeros(0, bool), [])
    assert not fused.advance(nothing, Clock(Budget(1)), "cpu").step


def test_a_slice_ends_on_time() -> None:
    batch = descents([spec(stop={"max_steps": 2**52}) for _ in range(16)])
    fused.advance(batch, Clock(Budget(30, steps=1)), "cpu")
    clock = Clock(Budget(0.5))
    fused.advance(batch, clock, "cpu")
    assert -0.5 < clock.seconds_left <= 0
    assert len(set(batch.steps)) == 1
    assert batch.steps[0] > 10_000


def test_a_budget_of_steps_is_taken_by_each_run() -> None:
    batch = descents([spec(stop={"max_steps": 10**6}, seed=seed) for seed in range(9)])
    batch.steps[:] = np.arange(9)
    batch.begun[:] = True
    fused.advance(batch, Clock(Budget(30, steps=123)), "cpu")
    assert (batch.steps - np.arange(9)).tolist() == [123] * 9


TWO_AT_ONCE = """
import sys, numpy
from tests.engines.fused_cases import complete, spec
print(complete([spec(), spec(seed=1)]).batch.states.tobytes().hex())
"""


@pytest.mark.processes
def test_two_processes_compile_the_same_kernel_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARP_CACHE_PATH", str(tmp_path))
    both = [
        subprocess.Popen(
            [sys.executable, "-c", TWO_AT_ONCE],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=REFERENCE.parents[2],
        )
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=120) for process in both]
    expected = complete([spec(), spec(seed=1)]).batch.states.tobytes().hex()
    assert [(out.decode().strip(), errors.decode()) for out, errors in printed] == [(expected, "")] * 2
    assert len([path for path in tmp_path.rglob("*fused_descent*") if path.is_dir()]) == 1
