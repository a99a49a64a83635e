"""Weight decay: the objective, where descents and flows with it come to rest, and what theory says of it."""

from math import exp

import numpy as np
import pytest
import torch

from tests.helpers.losses import loss_by_definition
from tests.helpers.specs import flow, run_whole, spec
from tests.kinds.examples import example_of, kinds_of
from workers.lab.models.base import maths_of
from workers.lab.models.layout import split_factors
from workers.runs.initializers import starting_factors
from workers.runs.optimizers import MirrorDescent, Optimizer
from workers.runs.theory.decay import least_penalty, stationary_point, thresholds

TARGET = (3.0, 1.0, 0.2)
KEPT = {2: (2.9, 0.9, 0.1), 3: (2.9301169775, 0.8962825859, 0.0), 4: (2.9416956266, 0.8942525493, 0.0)}
SQUARED_NORMS = {2: 7.8, 3: 8.931766285, 4: 10.643145909}
THRESHOLDS = {3: (0.0780115773, 0.3120463092, 0.3556558820), 4: (0.1357208808, 0.4071626425, 0.5129927840)}
UNOBSERVED = {
    2: (1.69027580, 4.42614538, 9.90000002, 21.49793),
    3: (1.93828669, 5.44485948, 13.26017, 31.59115),
    4: (2.09868679, 6.15026727, 15.78579, 39.78559),
}
BESIDE = {2: (0.95358411, 0.20544347), 3: (0.96836931, 0.17222467), 4: (0.97487479, 0.15452676)}
both_engines = pytest.mark.parametrize("engine", ["torch", "fused"])


def diagonal(depth, **changes):
    """Every entry of diag(3, 1, 0.2) is observed."""
    observations = [{"index": [i, j], "value": TARGET[i] * (i == j)} for i in range(3) for j in range(3)]
    parts = {
        "problem": {"kind": "completion", "shape": [3, 3], "observations": observations},
        "model": {"kind": "deep_matrix", "depth": depth},
        "init": {"kind": "gaussian", "std": 0.5},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 0.05, "weight_decay": 0.1},
        "stop": {"max_steps": 8000},
        "record": {"every": 0},
        "engine": "fused",
    }
    return spec(**parts | changes)


def last(result, name):
    return result.points.columns[name][-1]


@pytest.mark.parametrize("depth", KEPT)
def test_decay_keeps_what_theory_keeps(depth):
    result = run_whole(diagonal(depth))
    np.testing.assert_allclose(last(result, "singular_values"), KEPT[depth], rtol=1e-9, atol=1e-10)
    penalty = last(result, "objective") - last(result, "loss")
    assert 2 * penalty / 0.1 == pytest.approx(SQUARED_NORMS[depth], rel=1e-9)
    assert penalty == pytest.approx(least_penalty(0.1, depth, last(result, "singular_values")), rel=1e-9)


@pytest.mark.parametrize("depth", THRESHOLDS)
def test_thresholds_of_kept_singular_values(depth):
    at = thresholds(0.1, depth)
    assert (at.least_singular_value, at.local_from, at.global_from) == pytest.approx(THRESHOLDS[depth], rel=1e-9)


def test_depth_2_drops_what_is_below_the_decay():
    at = thresholds(0.1, 2)
    assert (at.least_singular_value, at.local_from, at.global_from) == (0.0, 0.1, 0.1)


@pytest.mark.parametrize("depth", UNOBSERVED)
def test_the_stationary_point_of_rank_one_is_solved_for(depth):
    sizes = [stationary_point(weight, depth).unobserved_entry for weight in (0.1, 0.01, 0.001, 1e-4)]
    assert sizes == pytest.approx(UNOBSERVED[depth], rel=4e-7)
    point = stationary_point(0.01, depth)
    assert (point.beside, point.opposite) == pytest.approx(BESIDE[depth], rel=1e-7)


@pytest.mark.parametrize("weight", [1.0, 1.5, 50.0])
@pytest.mark.parametrize("depth", [2, 3, 6])
def test_large_decays_leave_nothing(depth, weight):
    assert stationary_point(weight, depth) is None


def basic(depth, kind="gradient_descent", **optimizer):
    return spec(
        model={"kind": "deep_matrix", "depth": depth},
        init={"kind": "identity", "scale": 0.3},
        optimizer={"kind": kind, "learning_rate": 0.05, "weight_decay": 0.01, **optimizer},
        stop={"max_steps": 12_000},
        record={"every": 0},
        engine="fused",
    )


@pytest.mark.parametrize(("depth", "size"), [(2, 4.4261453646), (3, 5.4448594722)])
@pytest.mark.parametrize("decay", ["coupled", "decoupled"])
def test_decay_caps_the_entry_that_descent_drives_up(depth, size, decay):
    result = run_whole(basic(depth, decay=decay))
    assert last(result, "unobserved_entry") == pytest.approx(size, rel=1e-9)
    assert last(result, "unobserved_entry") == pytest.approx(stationary_point(0.01, depth).unobserved_entry, rel=1e-9)


def test_without_decay_the_entry_goes_on_growing():
    result = run_whole(basic(3, weight_decay=0.0))
    assert last(result, "unobserved_entry") > 11
    assert "objective" not in result.points.columns


def test_the_stationary_point_is_one():
    """The gradient of the objective is zero at its balanced factors."""
    for depth in (2, 3, 5):
        point = stationary_point(0.01, depth)
        product = np.array([[point.unobserved_entry, point.beside], [point.beside, point.opposite]])
        left, values, right = np.linalg.svd(product)
        assert values[1] == pytest.approx(0, abs=1e-12)
        middle = np.diag([values[0] ** (1 / depth), 0.0])
        factors = [left @ middle, *([middle] * (depth - 2)), middle @ right]
        optimizer = {"kind": "gradient_descent", "learning_rate": 1.0, "weight_decay": 0.01}
        init = {"kind": "explicit", "factors": [factor.tolist() for factor in factors]}
        run = spec(model={"kind": "deep_matrix", "depth": depth}, init=init, optimizer=optimizer, stop={"max_steps": 1})
        state = run_whole(run).progress[0].checkpoint.state
        np.testing.assert_allclose(state, np.concatenate([factor.ravel() for factor in factors]), atol=1e-13)


@pytest.mark.parametrize(
    "start",
    [
        {"kind": "identity", "scale": 0.3},
        {"kind": "gaussian", "std": 0.3, "balanced": True, "determinant": "positive"},
    ],
)
def test_a_balanced_flow_comes_to_the_same_rest(start):
    """Its determinant, which it carries, keeps its sign."""
    run = flow(
        model={"kind": "deep_matrix", "depth": 2},
        init=start,
        optimizer={"kind": "gradient_flow", "weight_decay": 0.01, "rtol": 1e-10},
        stop={"max_time": 5000.0},
    )
    result = run_whole(run)
    assert last(result, "unobserved_entry") == pytest.approx(4.4261453646, rel=1e-8)
    assert "conservation_drift" not in result.points.columns
    assert last(result, "determinant_sign") == 1


def test_a_run_that_loses_the_sign_leaves_for_the_global_minimum():
    run = flow(
        model={"kind": "deep_matrix", "depth": 2},
        init={"kind": "gaussian", "std": 0.3, "determinant": "positive"},
        optimizer={"kind": "gradient_flow", "weight_decay": 0.01, "rtol": 1e-10},
        stop={"max_time": 5000.0},
    )
    result = run_whole(run)
    assert last(result, "determinant_sign") == -1
    assert last(result, "unobserved_entry") == pytest.approx(0.0, abs=1e-9)
    assert last(result, "singular_values") == pytest.approx(np.array([0.99, 0.99]), rel=1e-9)


def test_balancedness_of_a_flow_decays_at_twice_the_rate():
    run = flow(
        init={"kind": "gaussian", "std": 0.5},
        optimizer={"kind": "gradient_flow", "weight_decay": 0.1, "rtol": 1e-12},
        stop={"max_time": 4.0},
    )
    gaps = run_whole(run).points.columns["balancedness_gap"]
    assert gaps[-1] / gaps[0] == pytest.approx(0.4493289641, rel=1e-9)
    assert gaps[-1] / gaps[0] == pytest.approx(exp(-0.8), rel=1e-10)


def descended(run, steps):
    """The definition, by autograd on the objective (coupled) or on the loss (decoupled)."""
    optimizer = run.optimizer
    factors = [torch.tensor(factor).requires_grad_() for factor in starting_factors(run)]
    trained = optimizer.trained(len(factors))
    for _ in range(steps):
        objective = loss_by_definition(
            run, maths_of(run.model, run.problem.shape).product([f[None] for f in factors])[0]
        )
        if optimizer.decay == "coupled":
            objective = objective + optimizer.weight_decay / 2 * sum(f.square().sum() for f in factors)
        gradients = torch.autograd.grad(objective, factors)
        after = []
        for number, (factor, slope) in enumerate(zip(factors, gradients, strict=True)):
            rate = optimizer.learning_rate * optimizer.factors_of_rate(len(factors))[number] * (number in trained)
            kept = 1 - rate * optimizer.weight_decay if optimizer.decay == "decoupled" else 1.0
            after.append((kept * factor - rate * slope).detach().requires_grad_())
        factors = after
    return np.concatenate([factor.detach().numpy().ravel() for factor in factors])


@both_engines
@pytest.mark.parametrize("decay", ["coupled", "decoupled"])
@pytest.mark.parametrize("more", [{}, {"learning_rate_factors": [1.0, 0.25, 3.0]}, {"frozen": [0, 2]}], ids=str)
def test_steps_are_those_of_autograd_on_the_objective(engine, decay, more):
    optimizer = {"kind": "gradient_descent", "learning_rate": 0.05, "weight_decay": 0.3, "decay": decay, **more}
    parts = {"optimizer": optimizer, "init": {"kind": "gaussian", "std": 0.5}, "stop": {"max_steps": 40}}
    run = spec(**parts, engine=engine)
    state = run_whole(run).progress[0].checkpoint.state
    np.testing.assert_allclose(state, descended(run, 40), rtol=1e-11, atol=1e-13)


TWO_FACTORS = {"model": {"kind": "deep_matrix", "depth": 2}}
FREEZABLE = [
    (kind, engine)
    for kind in kinds_of(Optimizer)
    for engine in ("torch", "fused")
    if not kind.is_flow and kind is not MirrorDescent and (kind.is_fusable or engine == "torch")
]
"""Optimisers of several factors; mirror descent has a single one."""


@pytest.mark.parametrize(("kind", "engine"), FREEZABLE, ids=lambda one: getattr(one, "__name__", one))
def test_frozen_factors_stay_as_they_start(kind, engine):
    optimizer = {**example_of(kind), "weight_decay": 0.3, "frozen": [1]}
    parts = {"optimizer": optimizer, "init": {"kind": "gaussian", "std": 0.5}, "stop": {"max_steps": 20}}
    run = spec(**TWO_FACTORS, **parts, engine=engine)
    state = run_whole(run).progress[0].checkpoint.state
    start = np.concatenate([factor.ravel() for factor in starting_factors(run)])
    assert state[4:8].tolist() == start[4:8].tolist()
    assert (state[:4] != start[:4]).all()


def test_the_objective_is_the_loss_with_half_the_decay_of_all_squares():
    run = basic(3, weight_decay=0.3)
    result = run_whole(run)
    factors = split_factors(torch.tensor(result.progress[0].checkpoint.state)[None], run.factor_shapes)
    squares = sum(float(factor.square().sum()) for factor in factors)
    assert last(result, "objective") == pytest.approx(last(result, "loss") + 0.15 * squares, rel=1e-14)


def test_the_loss_alone_ends_a_run():
    run = basic(2).model_copy(update={"stop": spec(stop={"max_steps": 9999, "loss_below": 0.1}).stop})
    result = run_whole(run)
    assert result.progress[0].outcome == "converged"
    assert last(result, "loss") < 0.1 < last(result, "objective")
