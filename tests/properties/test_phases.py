"""Phases: a run of several is a chain of plain runs, and keeps every invariant of a run across its borders."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.helpers.slices import EXACT, assert_same, assert_same_progress, points_of, run_in_slices
from tests.helpers.specs import member, run_whole
from workers.records import Batch, Budget, Outcome
from workers.runs.costs import most_multiply_adds, most_points, most_steps, multiply_adds_per_step
from workers.runs.metrics import metrics_of
from workers.runs.spec import RunSpec
from workers.slices import run_slice

ENGINES = pytest.mark.parametrize("engine", ["torch", "fused"])
FIRST = {"kind": "low_rank_completion", "shape": [3, 3], "rank": 2, "observed": 6, "seed": 1}
RATES = (
    0.03,
    {"kind": "cosine", "from": 0.04, "to": 0.001, "steps": 90},
    {"kind": "piecewise", "values": [0.04, 0.01], "steps": [60]},
    {"kind": "polynomial", "initial": 0.05, "power": 0.3},
    {"kind": "polyak", "most": 0.1},
)
OPTIMIZERS = (
    {"kind": "gradient_descent"},
    {"kind": "momentum", "beta": 0.8},
    {"kind": "adam"},
    {"kind": "group_rmsprop"},
    {"kind": "gradient_descent", "weight_decay": 0.1},
    {"kind": "adam", "weight_decay": 0.1, "decay": "decoupled"},
)


def phased(engine: str = "torch", **changes: Any) -> RunSpec:
    run: dict[str, Any] = {
        "problem": FIRST,
        "model": {"kind": "deep_matrix", "depth": 2},
        "init": {"kind": "gaussian", "std": 0.3},
        "optimizer": {"kind": "momentum", "learning_rate": 0.03},
        "stop": {"max_steps": 57},
        "record": {"every": 10},
        "engine": engine,
    }
    return RunSpec.model_validate(run | changes)


def ended(*specs: RunSpec):
    return run_in_slices(specs, [10**6])


def of_run(points: Mapping[tuple[int, int], Any], run: int):
    return {(0, step): point for (number, step), point in points.items() if number == run}


PARTS = st.fixed_dictionaries(
    {"stop": st.fixed_dictionaries({"max_steps": st.integers(0, 40)}, optional={"loss_below": st.just(0.05)})},
    optional={
        "problem": st.sampled_from([{"seed": 2}, {"rank": 1}, {"observed": 9, "noise": 0.1}]),
        "optimizer": st.sampled_from(
            [
                {"weight_decay": 0.2},
                {"kind": "adam", "learning_rate": 0.02},
                {"kind": "momentum", "learning_rate": RATES[1]},
                {"kind": "gradient_descent", "learning_rate": RATES[4]},
                {"kind": "gradient_descent", "learning_rate": 20.0},
            ]
        ),
        "loss": st.sampled_from(["mse", {"kind": "huber", "delta": 0.1}]),
    },
)


@pytest.mark.slow
@given(
    st.lists(st.lists(PARTS, min_size=1, max_size=3), min_size=2, max_size=3), st.lists(st.integers(1, 25), max_size=5)
)
def test_split_equals_unsplit_and_alone_equals_batched(many, cuts):
    try:
        specs = [phased(phases=phases, stop={"max_steps": 13 + 20 * i}, seed=i) for i, phases in enumerate(many)]
    except ValidationError:  # a field that only the problem or the optimiser before has
        return
    batched, points = ended(*specs)
    sliced, theirs = run_in_slices(specs, [*cuts, 17])
    for run, spec in enumerate(specs):
        alone, ours = ended(spec)
        for progress in (alone.progress[0], sliced.progress[run]):
            assert_same_progress(progress, batched.progress[run])
        assert_same(ours, of_run(points, run), **EXACT)
        assert_same(of_run(theirs, run), ours, **EXACT)


@pytest.mark.slow
@ENGINES
@pytest.mark.parametrize("rate", RATES, ids=lambda rate: getattr(rate, "get", lambda _: "constant")("kind"))
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: "-".join(map(str, one.values())))
def test_phases_that_change_nothing_are_one_longer_run(engine, optimizer, rate):
    optimizer = {**optimizer, "learning_rate": rate}
    phases = [{"stop": {"max_steps": 0}}, {"stop": {"max_steps": 34}}, {"stop": {"max_steps": 29}}]
    parts, ours = ended(phased(engine, optimizer=optimizer, phases=phases))
    whole, theirs = ended(phased(engine, optimizer=optimizer, stop={"max_steps": 120}))
    np.testing.assert_array_equal(parts.progress[0].checkpoint.state, whole.progress[0].checkpoint.state)
    np.testing.assert_array_equal(parts.progress[0].checkpoint.milestones, whole.progress[0].checkpoint.milestones)
    assert parts.progress[0].summary == whole.progress[0].summary
    phases_of_steps = {step: int(point.pop("phase")) for (_, step), point in ours.items()}
    assert phases_of_steps == {step: 0 if step <= 57 else 2 if step <= 91 else 3 for _, step in ours}
    assert {(0, 57), (0, 91)} == ours.keys() - theirs.keys()  # the last step of each phase
    assert_same({key: ours[key] for key in theirs}, theirs, **EXACT)


@ENGINES
@pytest.mark.parametrize("kind", ["momentum", "adam", "group_rmsprop"])
def test_a_phase_that_begins_anew_is_a_plain_run_from_its_factors(engine, kind):
    """By optimiser and schedule it cannot know that others came before."""
    anew = {"kind": kind, "learning_rate": RATES[1]}
    phase = {"problem": {"seed": 5}, "optimizer": anew, "stop": {"max_steps": 40}, "optimizer_state": "reset"}
    whole, points = ended(phased(engine, record={"every": 1}, phases=[phase]))
    first, _ = ended(phased(engine))
    state = first.progress[0].checkpoint.state[:18].reshape(2, 3, 3)
    start = {"kind": "explicit", "factors": state.tolist()}
    changes = {"problem": FIRST | {"seed": 5}, "optimizer": anew, "stop": {"max_steps": 40}, "record": {"every": 1}}
    rest, theirs = ended(phased(engine, init=start, **changes))
    np.testing.assert_array_equal(whole.progress[0].checkpoint.state, rest.progress[0].checkpoint.state)
    begun = first.progress[0].summary["time"]
    for (_, step), point in theirs.items():
        if step == 0:
            continue  # the step at which a phase ends belongs to it
        ours = points[0, step + 57]
        assert ours["phase"] == 1
        assert ours["time"] == begun + point["time"]
        for name in point.keys() - {"step", "time"}:
            np.testing.assert_array_equal(ours[name], point[name], err_msg=f"{name} at {step}")


@ENGINES
@pytest.mark.parametrize("reached", [20, 57, 80, 97])
def test_an_extended_run_asked_for_more_from_the_start(engine, reached):
    def lasting(steps: int) -> RunSpec:
        return phased(engine, phases=[{"problem": {"seed": 2}, "stop": {"max_steps": steps}}])

    short, long = lasting(40), lasting(90)
    result, checkpoint, pieces = None, None, {}
    for cut in (reached, 10**6, 10**6):
        result = run_slice(Batch((member(short if cut == reached else long, checkpoint),)), Budget(600, cut))
        pieces |= points_of(result)
        checkpoint = result.progress[0].checkpoint
        if result.progress[0].outcome is not None and cut != reached:
            break
    whole, points = ended(long)
    assert_same_progress(result.progress[0], whole.progress[0])
    assert_same({key: point for key, point in pieces.items() if key in points}, points, **EXACT)


def test_a_phase_that_diverges_ends_the_run_where_it_was():
    spec = phased(
        phases=[{"optimizer": {"learning_rate": 1e200}, "stop": {"max_steps": 9}}, {"stop": {"max_steps": 9}}]
    )
    result, points = ended(spec)
    (progress,) = result.progress
    assert progress.outcome == Outcome.DIVERGED
    assert len(progress.checkpoint.phase_ends) == 1
    assert 57 <= progress.checkpoint.step < 60
    assert max(points)[1] == progress.checkpoint.step


def test_the_loss_of_a_phase_is_tested_against_its_limit_alone():
    whole = {"problem": {**FIRST, "observed": 9}, "init": {"kind": "identity", "scale": 0.5}}
    phases = [
        {"problem": {"seed": 3}, "stop": {"max_steps": 3000, "loss_below": 1e-3}},
        {"stop": {"max_steps": 4000, "loss_below": 1e-4, "check_every": 100, "checks_in_a_row": 3}},
        {"problem": {"seed": 4}, "stop": {"max_steps": 7}},
    ]
    result, points = ended(phased(stop={"max_steps": 5000, "loss_below": 1e-2}, **whole, phases=phases))
    ends = [end.step for end in result.progress[0].checkpoint.phase_ends]
    assert points[0, ends[0]]["loss"] < 1e-2
    assert points[0, ends[1]]["loss"] < 1e-3
    assert ends[2] % 100 == 0
    assert ends[2] - ends[1] > 200  # checks of the phases before do not count
    assert all(points[0, ends[2] - back]["loss"] < 1e-4 for back in (0, 100, 200))
    assert not points[0, ends[2] - 300]["loss"] < 1e-4 or ends[2] - 300 <= ends[1]
    assert result.progress[0].outcome == Outcome.BUDGET_EXHAUSTED
    assert result.progress[0].checkpoint.step == ends[2] + 7
    reached = result.progress[0].summary["first_step_below"]
    assert reached["1e-2"] <= ends[0]  # of the run, whichever phase it is in
    assert ends[0] < reached["1e-3"] <= ends[1]


def test_columns_and_errors_are_those_of_the_present_phase():
    target = {"problem": FIRST, "optimizer": {"kind": "gradient_descent", "learning_rate": 0.05}}
    phases = [{"problem": {"rank": 1}, "optimizer": {"weight_decay": 0.01}, "stop": {"max_steps": 40}}]
    spec = phased(**target, phases=phases)
    assert {"objective", "phase", "reconstruction_error"} <= set(metrics_of(spec))
    result, points = ended(spec)
    assert "objective" not in points[0, 57]
    assert points[0, 60]["objective"] > points[0, 60]["loss"]
    first, second = (ended(phased(**target | {"problem": problem}))[1] for problem in (FIRST, FIRST | {"rank": 1}))
    assert points[0, 50]["reconstruction_error"] == first[0, 50]["reconstruction_error"]
    assert points[0, 0]["reconstruction_error"] != second[0, 0]["reconstruction_error"]
    one = phased(
        **target,
        phases=[
            {"optimizer": {"weight_decay": 0.1}, "stop": {"max_steps": 9}},
            {"optimizer": {"weight_decay": None}, "stop": {"max_steps": 9}},
        ],
    )
    assert one.phase_specs[2].optimizer == one.optimizer
    assert ended(one)[0].progress[0].summary["objective"] is None
    assert result.progress[0].summary["target_rank"] == 1


def test_factors_are_kept_once_at_each_step():
    spec = phased(record={"every": 0, "factors": {"every": 19}}, phases=[{"stop": {"max_steps": 40}}])
    kept, checkpoint = list[int](), None
    for _ in range(2):
        result = run_slice(Batch((member(spec, checkpoint),)), Budget(600))
        kept += result.kept.step.tolist()
        checkpoint = result.progress[0].checkpoint
    assert kept == [0, 19, 38, 57, 76, 95]


def test_costs_are_those_of_all_phases():
    spec = phased(phases=[{"optimizer": {"kind": "adam", "learning_rate": 0.1}, "stop": {"max_steps": 40}}])
    assert most_steps(spec) == 97
    plain, adam = spec.phase_specs
    assert most_multiply_adds(spec) >= 57 * multiply_adds_per_step(plain) + 40 * multiply_adds_per_step(adam)
    assert len(ended(spec)[1]) <= most_points(spec) <= len(ended(spec)[1]) + 2


def test_a_batch_tells_where_its_runs_go_on():
    spec = phased(phases=[{"optimizer": {"kind": "adam", "learning_rate": 0.1}, "stop": {"max_steps": 40}}])
    (progress,) = run_whole(spec).progress
    assert progress.outcome is None
    assert "adam" in progress.batch_key
    assert progress.numbers > 0
    assert len(progress.checkpoint.state) == 3 * 18
    assert not progress.checkpoint.state[18:].any()


def test_a_resolved_spec_is_read_as_it_was():
    phases = [
        {"problem": {"noise": 0.1}, "optimizer": {"learning_rate": RATES[1]}, "stop": {"max_steps": 4}},
        {"problem": {"noise": None}, "optimizer": {"learning_rate": {"to": 0.01}}, "stop": {"max_steps": 4}},
        {"optimizer": {"learning_rate": 0.1}, "loss": {"kind": "huber", "delta": 1.0}, "stop": {"max_steps": 4}},
        {"optimizer": {"beta": 0.5}, "loss": {"delta": 0.5}, "stop": {"max_steps": 4}, "schedule": "restarted"},
    ]
    spec = phased(phases=phases)
    assert RunSpec.model_validate(spec.resolved()) == spec
    assert [phase.schedule for phase in spec.phases] == ["restarted", "restarted", "restarted", "restarted"]
    assert spec.phases[1].optimizer.learning_rate.start == RATES[1]["from"]
    assert spec.phase_specs[2].problem == spec.problem
    assert spec.phase_specs[4].loss.delta == 0.5


@pytest.mark.parametrize(
    ("phase", "pointer"),
    [
        ({"problem": {"rank": 9}}, ("phases", 0, "problem")),
        ({"problem": {"shape": [3, 4]}}, ("phases", 0, "problem")),
        ({"model": {"depth": 3}}, ("phases", 0, "model")),
        ({"optimizer": {"frozen": [7]}}, ("phases", 0, "optimizer", "frozen", 0)),
        ({"optimizer": {"kind": "gradient_flow"}, "stop": {"max_time": 1.0}}, ("phases", 0, "optimizer", "kind")),
        (
            {"optimizer": {"kind": "adam", "learning_rate": 0.1}, "optimizer_state": "carried"},
            ("phases", 0, "optimizer_state"),
        ),
        ({"optimizer": {"learning_rate": 0.1}, "schedule": "continued"}, ("phases", 0, "schedule")),
        ({"stop": {"loss_below": 0.1}}, ("phases", 0, "stop", "max_steps")),
        ({"loss": "logistic"}, ("phases", 0)),
    ],
)
def test_a_mistake_in_a_phase_is_pointed_at(phase, pointer):
    with pytest.raises(ValidationError) as caught:
        phased(phases=[{"stop": {"max_steps": 3}, **phase}])
    (error, *_) = caught.value.errors()
    place = (*error["loc"], *error.get("ctx", {}).get("pointer", ()))
    assert tuple(part for part in place if part != "low_rank_completion")[: len(pointer)] == pointer
