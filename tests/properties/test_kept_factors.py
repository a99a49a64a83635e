"""Snapshots of factors: at exactly the steps asked for, whatever the slices, the batch, and how often a run goes on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.specs import flow, member, run_whole, spec
from workers.joining import joined
from workers.records import Batch, Budget
from workers.results import SliceResult
from workers.runs.costs import snapshot_bytes, state_numbers, trained_numbers
from workers.runs.schedules import most_kept
from workers.runs.spec import RunSpec
from workers.slices import run_slice

SCHEDULES = ({"every": 7}, {"steps": [0, 3, 50, 61, 1000]}, None, {"every": 1})


def descents(engine, last=60, schedules=SCHEDULES):
    """Runs of one batch, each with a schedule of its own; points are few, and most snapshots lie between them."""
    return [
        spec(engine=engine, stop={"max_steps": last}, seed=seed, record={"every": 20} | kept(factors))
        for seed, factors in enumerate(schedules)
    ]


def kept(factors):
    return {} if factors is None else {"factors": factors}


def flows(schedules=SCHEDULES):
    return [flow(seed=seed, record={"points_per_decade": 4} | kept(factors)) for seed, factors in enumerate(schedules)]


def rows_of(result: SliceResult, numbers: list[int]) -> dict[tuple[int, int], np.ndarray]:
    if result.kept is None:
        return {}
    rows = zip(result.kept.member.tolist(), result.kept.step.tolist(), result.kept.factors, strict=True)
    return {(numbers[m], step): factors for m, step, factors in rows}


def in_slices(specs: list[RunSpec], cut: int) -> dict[tuple[int, int], np.ndarray]:
    members, active, rows = [member(one) for one in specs], list(range(len(specs))), {}
    while active:
        result = run_slice(Batch(tuple(members[run] for run in active)), Budget(600, cut))
        fresh = rows_of(result, active)
        assert not set(fresh) & set(rows)
        rows |= fresh
        for run, progress in zip(active, result.progress, strict=True):
            members[run] = member(specs[run], progress.checkpoint)
        active = [run for run, progress in zip(active, result.progress, strict=True) if progress.outcome is None]
    return rows


def assert_equal_rows(ours, theirs):
    assert ours.keys() == theirs.keys()
    for key, factors in ours.items():
        np.testing.assert_array_equal(factors, theirs[key], err_msg=str(key))


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_they_are_at_exactly_the_steps_asked_for(engine):
    rows = rows_of(run_whole(*descents(engine)), [0, 1, 2, 3])
    expected = {0: range(0, 61, 7), 1: (0, 3, 50), 2: (), 3: range(61)}
    assert set(rows) == {(run, step) for run, steps in expected.items() for step in steps}


@pytest.mark.parametrize("engine", ["fused", "torch"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_they_are_the_factors_of_a_run_that_ends_there(engine, precision):
    run = RunSpec.model_validate(descents(engine)[1].resolved() | {"precision": precision})
    for (_, step), factors in rows_of(run_whole(run), [0]).items():
        shorter = RunSpec.model_validate(run.resolved() | {"stop": {"max_steps": step}})
        state = run_whole(shorter).progress[0].checkpoint.state
        assert factors.dtype == np.dtype(precision)
        np.testing.assert_array_equal(factors, state[: trained_numbers(run)])


@settings(max_examples=15)
@given(st.sampled_from(["fused", "torch"]), st.integers(1, 40))
def test_split_equals_unsplit(engine, cut):
    specs = descents(engine)
    assert_equal_rows(in_slices(specs, cut), rows_of(run_whole(*specs), [0, 1, 2, 3]))


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_alone_equals_batched(engine):
    specs = descents(engine)
    whole = rows_of(run_whole(*specs), [0, 1, 2, 3])
    for run, one in enumerate(specs):
        own = {key: row for key, row in whole.items() if key[0] == run}
        assert_equal_rows(rows_of(run_whole(one), [run]), own)


@pytest.mark.parametrize("runs", [lambda last: descents("fused", last), lambda last: descents("torch", last)])
def test_a_run_that_goes_on_keeps_what_a_longer_one_does(runs):
    short, long = runs(30), runs(90)
    first = run_whole(*short)
    going_on = [member(one, progress.checkpoint) for one, progress in zip(long, first.progress, strict=True)]
    rest = run_slice(Batch(tuple(going_on)), Budget(600))
    numbers = [0, 1, 2, 3]
    assert not set(rows_of(first, numbers)) & set(rows_of(rest, numbers))
    assert_equal_rows(rows_of(first, numbers) | rows_of(rest, numbers), rows_of(run_whole(*long), numbers))


def test_points_do_not_depend_on_what_is_kept():
    for engine in ("fused", "torch"):
        keeping, plain = (run_whole(*descents(engine, schedules=one)) for one in (SCHEDULES, [None] * 4))
        assert keeping.points.columns.keys() == plain.points.columns.keys()
        for name, column in keeping.points.columns.items():
            np.testing.assert_array_equal(column, plain.points.columns[name])


def test_a_diverging_run_keeps_its_finite_factors():
    for engine in ("fused", "torch"):
        optimizer = {"kind": "gradient_descent", "learning_rate": 10.0}
        init = {"kind": "gaussian", "std": 1.0}
        run = spec(engine=engine, optimizer=optimizer, init=init, record={"every": 1, "factors": {"every": 1}})
        result = run_whole(run)
        assert result.progress[0].outcome == "diverged"
        assert result.kept.step.tolist() == list(range(result.progress[0].checkpoint.step + 1))
        assert np.isfinite(result.kept.factors).all()


@pytest.mark.slow
def test_flows_keep_them_at_the_numbers_of_their_scheduled_points():
    specs = flows()
    whole = run_whole(*specs)
    rows = rows_of(whole, [0, 1, 2, 3])
    steps = whole.points.columns["step"]
    last = {run: int(steps[whole.points.member == run].max()) for run in range(4)}
    assert {step for run, step in rows if run == 3} == set(range(last[3]))  # the end is no point of the schedule
    assert {step for run, step in rows if run == 0} == set(range(0, last[0], 7))
    assert_equal_rows(in_slices(specs, 1), rows)
    longer = [RunSpec.model_validate(one.resolved() | {"stop": {"max_time": 60.0}}) for one in specs]
    going_on = [member(one, progress.checkpoint) for one, progress in zip(longer, whole.progress, strict=True)]
    rest = run_slice(Batch(tuple(going_on)), Budget(600))
    assert_equal_rows(rows | rows_of(rest, [0, 1, 2, 3]), rows_of(run_whole(*longer), [0, 1, 2, 3]))


def test_a_baseline_keeps_none():
    run = spec(model={"kind": "nuclear_norm"}, record={"every": 1, "factors": {"every": 1}})
    assert run_whole(run).kept is None
    assert snapshot_bytes(run) == 0


def test_parts_of_a_batch_are_joined():
    specs = descents("torch")
    whole = rows_of(run_whole(*specs), [0, 1, 2, 3])
    parts = joined([run_whole(*specs[:1]), run_whole(specs[2]), run_whole(specs[1], specs[3])])
    assert_equal_rows(rows_of(parts, [0, 2, 1, 3]), whole)
    assert joined([run_whole(specs[2])]).kept is None


@pytest.mark.parametrize(("factors", "kept_at_most"), [({"every": 7}, 9), ({"steps": [0, 3, 100]}, 2), (None, 0)])
def test_what_they_cost_is_known_before(factors, kept_at_most):
    run = spec(stop={"max_steps": 60}, record={"every": 20} | kept(factors))
    assert most_kept(run) == kept_at_most
    assert snapshot_bytes(run) >= 8 * kept_at_most * state_numbers(run)


def test_a_schedule_of_every_step_of_a_long_run_is_counted_without_listing_it():
    run = spec(stop={"max_steps": 10**12}, record={"every": 0, "factors": {"every": 1}})
    assert most_kept(run) == 10**12 + 1


@pytest.mark.parametrize(
    ("factors", "pointer"),
    [
        ({}, "every"),
        ({"every": 2, "steps": [1]}, "every"),
        ({"steps": [3, 2]}, "steps"),
        ({"steps": [2, 2]}, "steps"),
        ({"every": 0}, "every"),
        ({"steps": [-1]}, "steps"),
    ],
)
def test_a_mistaken_schedule_is_refused_where_it_stands(factors, pointer):
    with pytest.raises(ValueError, match="factors") as error:
        spec(record={"every": 20, "factors": factors})
    found = error.value.errors()[0]
    path = [*found["loc"], *found.get("ctx", {}).get("pointer", [])]
    assert path[:3] == ["record", "factors", pointer]
