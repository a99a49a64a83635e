"""The systems that a flow integrates, what they conserve, how flows end, and when their points are recorded."""

import numpy as np
import pytest

from tests.helpers.specs import flow, member, run_whole
from workers.lab.engines.flow.end_to_end import EndToEndFlow
from workers.lab.engines.flow.factors import FactorFlow
from workers.lab.engines.flow.systems import Reading, jacobian
from workers.records import Batch, Budget, Outcome
from workers.runs.conservation import carried_sign, start_determinant
from workers.runs.initializers import starting_factors
from workers.runs.schedules import count_flow_points, recorded_times
from workers.slices import run_slice

GAUSSIAN = {"kind": "gaussian", "std": 0.5}
MEASURED = {"kind": "low_rank_sensing", "shape": [3, 3], "rank": 1, "measurements": 4}
TENSOR = {"kind": "low_rank_completion", "shape": [3, 4, 2], "rank": 1, "observed": 9}


def reading(spec):
    factors = starting_factors(spec)
    flat = np.concatenate([factor.ravel() for factor in factors])
    return Reading(flat, start_determinant(factors)[1] if carried_sign(spec) else np.nan, np.nan, 0.0)


@pytest.mark.parametrize(
    "spec",
    [
        flow(init=GAUSSIAN),
        flow(init=GAUSSIAN, loss="mse"),
        flow(init=GAUSSIAN, problem=MEASURED),
        flow(init=GAUSSIAN, problem=TENSOR, model={"kind": "cp_tensor", "rank": 3}),
        flow(init={**GAUSSIAN, "balanced": True}, model={"kind": "deep_matrix", "depth": 1}),
    ],
)
def test_the_velocity_of_factors_is_minus_the_gradient_of_the_loss(spec):
    system = FactorFlow(spec)
    coordinates = system.coordinates_of(reading(spec))
    moves = 1e-6 * np.eye(len(coordinates))
    slope = [(system.loss(coordinates + move) - system.loss(coordinates - move)) / 2e-6 for move in moves]
    assert system.velocity(coordinates) == pytest.approx(-np.array(slope), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("sign", ["positive", "negative"])
@pytest.mark.parametrize("problem", [{"kind": "all_but_corner", "dimension": 4}, MEASURED])
def test_the_end_to_end_flow_is_that_of_the_factors(depth, sign, problem):
    """d(F1 ... FL)/dt by the product rule, and d ln|det W|/dt = tr(W^-1 dW/dt)."""
    init = {**GAUSSIAN, "balanced": True, "determinant": sign}
    spec = flow(problem=problem, model={"kind": "deep_matrix", "depth": depth}, init=init)
    start = reading(spec)
    whole, parts = EndToEndFlow(spec), FactorFlow(spec)
    coordinates = whole.coordinates_of(start)
    factors = np.split(start.factors, depth)
    moves = np.split(parts.velocity(start.factors), depth)
    size = spec.problem.shape[0]

    def product(changed):
        return np.linalg.multi_dot([(moves if j == changed else factors)[j].reshape(size, size) for j in range(depth)])

    expected = sum(product(j) for j in range(depth))
    found = whole.velocity(coordinates)
    assert found[:-1].reshape(size, size) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    growth = np.trace(np.linalg.solve(coordinates[:-1].reshape(size, size), expected))
    assert found[-1] == pytest.approx(growth, rel=1e-8)
    assert whole.loss(coordinates) == pytest.approx(parts.loss(start.factors), rel=1e-12)
    assert whole.velocity(np.stack([coordinates, coordinates]))[1] == pytest.approx(found, rel=1e-9)


def test_the_jacobian_is_that_of_the_velocity():
    system = FactorFlow(flow(init=GAUSSIAN))
    coordinates = system.coordinates_of(reading(flow(init=GAUSSIAN)))
    found = jacobian(system, coordinates)
    assert found == pytest.approx(found.T, abs=1e-6)  # minus a Hessian
    direction = np.cos(np.arange(len(coordinates)))
    moved = (system.velocity(coordinates + 1e-6 * direction) - system.velocity(coordinates - 1e-6 * direction)) / 2e-6
    assert found @ direction == pytest.approx(moved, abs=1e-6)


def factors(*matrices):
    return {"kind": "explicit", "factors": [np.asarray(one, dtype=float).tolist() for one in matrices]}


@pytest.mark.parametrize(
    ("sign", "parts"),
    [
        (1, {}),
        (1, {"init": {**GAUSSIAN, "balanced": True, "determinant": "positive"}}),
        (-1, {"init": {**GAUSSIAN, "balanced": True, "determinant": "negative"}}),
        (0, {"init": GAUSSIAN}),
        (0, {"model": {"kind": "deep_matrix", "depth": 1}}),
        (0, {"model": {"kind": "deep_matrix", "depth": 3, "hidden_width": 1}}),
        (0, {"model": {"kind": "deep_matrix", "depth": 3, "hidden_width": 3}}),  # identities of unequal width
        (1, {"model": {"kind": "deep_matrix", "depth": 2, "hidden_width": 3}}),
        (0, {"problem": {"kind": "low_rank_completion", "shape": [2, 3], "rank": 1, "observed": 3}}),
        (-1, {"init": factors([[1, 0], [0, -1]], np.eye(2), np.eye(2))}),
        (0, {"init": factors([[1, 0], [0, 2]], np.eye(2), np.eye(2))}),
        (0, {"init": factors([[1, 0], [0, 0]], [[1, 0], [0, 0]], [[1, 0], [0, 0]])}),
        (0, {"optimizer": {"kind": "gradient_descent", "learning_rate": 0.1}, "stop": {"max_steps": 1}}),
    ],
)
def test_which_flows_carry_their_determinant(sign, parts):
    assert carried_sign(flow(**parts)) == sign


@pytest.mark.parametrize(
    "parts",
    [
        {"init": GAUSSIAN, "model": {"kind": "deep_matrix", "depth": 3}},
        {"init": GAUSSIAN, "problem": TENSOR, "model": {"kind": "cp_tensor", "rank": 3}},
        {},
    ],
)
def test_what_a_flow_conserves_hardly_drifts(parts):
    result = run_whole(flow(**parts, stop={"max_time": 1000.0}))
    assert 0 < result.points.columns["conservation_drift"].max() < 1e-7
    assert result.progress[0].summary["drift_exceeded_at"] is None


def test_a_drift_beyond_tolerance_is_noted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("workers.lab.engines.flow.engine.MOST_DRIFT_IN_TOLERANCES", 1e-3)
    result = run_whole(flow(init=GAUSSIAN))
    drift = result.points.columns["conservation_drift"]
    assert result.progress[0].summary["drift_exceeded_at"] == int(np.argmax(drift > 1e-12))


def test_a_finer_tolerance_gives_the_same_flow():
    ends = [
        run_whole(flow(init=GAUSSIAN, seed=3, optimizer={"kind": "gradient_flow", "rtol": rtol})).points.columns[
            "frobenius_norm"
        ]
        for rtol in (1e-7, 1e-9, 1e-11)
    ]
    coarse, usual = (np.abs(one / ends[2] - 1).max() for one in ends[:2])
    assert usual < 1e-5
    assert usual < coarse / 10


@pytest.mark.parametrize("limit", [0.5, 1e-2, 1e-4])
def test_a_flow_ends_where_its_loss_passes_the_limit(limit):
    result = run_whole(flow(stop={"max_time": 1e6, "loss_below": limit}))
    loss = result.points.columns["loss"]
    assert result.progress[0].outcome == Outcome.CONVERGED
    assert limit * (1 - 1e-9) < loss[-1] < limit
    assert (loss[:-1] >= limit).all()


def test_a_loss_below_the_limit_at_the_start_is_the_end():
    result = run_whole(flow(stop={"max_time": 1.0, "loss_below": 10.0}))
    assert result.progress[0].outcome == Outcome.CONVERGED
    assert result.points.columns["step"].tolist() == [0]


def test_a_flow_at_rest_rests():
    zero = np.zeros((2, 2))
    result = run_whole(flow(init=factors(zero, zero, zero), stop={"max_time": 1e12}))
    assert result.progress[0].outcome == Outcome.BUDGET_EXHAUSTED
    assert set(result.points.columns["loss"]) == {1.0}


@pytest.mark.parametrize("scale", [1e30, 1e45, 1e120])
def test_a_flow_that_cannot_be_integrated_is_a_sentence_and_spares_its_batch(scale, monkeypatch):
    monkeypatch.setattr("workers.lab.engines.flow.engine.MOST_STEPS", 2000)
    result = run_whole(flow(init={"kind": "identity", "scale": scale}), flow())
    assert result.progress[0].error is not None or result.progress[0].outcome == Outcome.DIVERGED
    assert result.progress[1].outcome == Outcome.BUDGET_EXHAUSTED
    if result.progress[0].error is not None:
        assert "could not be integrated beyond the time" in result.progress[0].error
        assert "rtol" in result.progress[0].error


@pytest.mark.parametrize("max_time", [0.0, 1e-3, 0.0015, 1.0, 1e9])
@pytest.mark.parametrize("points_per_decade", [1, 7, 100])
def test_the_count_of_points_is_that_of_the_schedule_and_the_end(max_time, points_per_decade):
    times = recorded_times(points_per_decade)
    assert count_flow_points(points_per_decade, max_time) == len({*times[times <= max_time].tolist(), max_time})


def test_times_are_spaced_evenly_on_a_logarithmic_scale():
    times = recorded_times(10)
    assert times[:2].tolist() == [0.0, 1e-3]
    assert times[2:] / times[1:-1] == pytest.approx(10**0.1)


def test_a_flow_that_goes_on_forgets_what_its_extra_last_point_said():
    """Its loss is rounding alone here, so that the extra point is below a decade that the schedule's next is not."""
    parts = {
        "problem": {
            "kind": "completion",
            "shape": [2, 2],
            "observations": [{"index": [0, 0], "value": 1.0}, {"index": [1, 1], "value": 0.5}],
        },
        "model": {"kind": "symmetric_matrix", "rank": 2},
        "init": {
            "kind": "explicit",
            "factors": [[[0.06286511054669665, -0.06605243164565094], [0.32021132522164103, 0.052450058576519853]]],
        },
        "optimizer": {"kind": "gradient_flow", "rtol": 1e-6},
        "record": {"points_per_decade": 4},
    }
    short, long = flow(**parts, stop={"max_time": 7.0}), flow(**parts, stop={"max_time": 14.0})
    stopped = run_whole(short).progress[0]
    rest, longer = run_slice(Batch((member(long, stopped.checkpoint),)), Budget(600)), run_whole(long)
    assert stopped.summary["first_step_below"] != longer.progress[0].summary["first_step_below"]
    assert rest.progress[0].summary == longer.progress[0].summary
