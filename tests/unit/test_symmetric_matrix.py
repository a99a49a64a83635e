"""The symmetric factorisation: starts, targets, what theory says of it."""

import numpy as np
import pytest
from pydantic import ValidationError

from tests.helpers.specs import run_whole, spec
from workers.lab.metrics.matrix import matrix_metrics
from workers.runs.initializers import starting_factors
from workers.runs.observations import observe
from workers.runs.theory.verdicts import Verdict, columns_needed, judge

SYMMETRIC = {"kind": "symmetric_matrix"}
IDENTITY = {"kind": "identity", "scale": 1.0}


def test_the_rank_is_the_dimension_unless_given():
    corner = {"kind": "all_but_corner", "dimension": 4}
    assert spec(model=SYMMETRIC, problem=corner, init=IDENTITY).factor_shapes == ((4, 4),)
    assert spec(model=SYMMETRIC | {"rank": 1}, problem=corner, init=IDENTITY).factor_shapes == ((4, 1),)


def test_starts_have_the_asked_standard_deviation():
    corner = {"kind": "all_but_corner", "dimension": 200}
    init = {"kind": "gaussian", "std": 1e-3, "std_of": "product"}
    (factor,) = starting_factors(spec(model=SYMMETRIC | {"rank": 50}, problem=corner, init=init))
    off_diagonal = (factor @ factor.T)[~np.eye(200, dtype=bool)]
    assert off_diagonal.std() == pytest.approx(1e-3, rel=0.05)
    (factor,) = starting_factors(spec(model=SYMMETRIC, problem=corner, init=init | {"std_of": "factor"}))
    assert factor.std() == pytest.approx(1e-3, rel=0.05)
    (factor,) = starting_factors(spec(model=SYMMETRIC | {"rank": 3}, init=IDENTITY | {"scale": 0.5}))
    np.testing.assert_array_equal(factor, 0.5 * np.eye(2, 3))


@pytest.mark.parametrize("rank", [2, 5])
def test_a_positive_determinant_is_every_start_s(rank):
    init = {"kind": "gaussian", "std": 0.1, "balanced": True, "determinant": "positive"}
    with_sign = starting_factors(spec(model=SYMMETRIC | {"rank": rank}, init=init))
    any_sign = starting_factors(spec(model=SYMMETRIC | {"rank": rank}, init=init | {"determinant": "any"}))
    np.testing.assert_array_equal(with_sign[0], any_sign[0])


LOW_RANK = {"kind": "low_rank_completion", "shape": [5, 5], "rank": 2, "observed": 20, "norm": 3.0}


def test_a_low_rank_target_is_symmetric_and_semidefinite_unless_it_says_otherwise():
    run = spec(model=SYMMETRIC, problem=LOW_RANK, init=IDENTITY)
    assert run.resolved()["problem"]["symmetric"] is True
    target = observe(run.problem).target
    np.testing.assert_array_equal(target, target.T)
    values = np.linalg.eigvalsh(target)
    assert values[-2:].min() > 0.1
    assert abs(values[:3]).max() < 1e-12
    assert np.linalg.norm(target) == pytest.approx(3)
    explicit = spec(model=SYMMETRIC, problem=LOW_RANK | {"symmetric": False}, init=IDENTITY)
    assert not np.allclose(observe(explicit.problem).target, observe(explicit.problem).target.T)


def test_other_models_keep_the_targets_that_they_had():
    deep = spec(problem=LOW_RANK, init=IDENTITY)
    assert deep.resolved()["problem"]["symmetric"] is False
    with pytest.raises(ValidationError, match="Only a square matrix can be symmetric"):
        spec(problem=LOW_RANK | {"shape": [5, 4], "symmetric": True}, init=IDENTITY)


def test_a_symmetric_target_is_recovered():
    run = spec(
        model=SYMMETRIC,
        problem={"kind": "low_rank_completion", "shape": [12, 12], "rank": 1, "observed": 100, "norm": 1.0},
        init={"kind": "gaussian", "std": 1e-3},
        optimizer={"kind": "gradient_descent", "learning_rate": 0.5},
        stop={"max_steps": 5000, "loss_below": 1e-7},
    )
    result = run_whole(run)
    assert result.progress[0].outcome == "converged"
    assert result.points.columns["reconstruction_error"][-1] < 2e-3
    assert "balancedness_gap" not in result.points.columns


def measured(model, factor):
    rows = np.array([np.asarray(factor, dtype=float).ravel()])
    return matrix_metrics([spec(model=model, init=IDENTITY)], np.zeros(1, dtype=np.int64), rows)


def test_its_determinant_is_never_negative_and_does_not_underflow():
    tiny = np.array([[1e-160, 3e-160], [2e-160, 1e-160]])
    found = measured(SYMMETRIC, tiny)
    assert found["determinant_sign"][0] == 1
    assert found["log_abs_determinant"][0] == pytest.approx(2 * (np.log(5) - 320 * np.log(10)))
    wide = measured(SYMMETRIC | {"rank": 3}, [[1e-160, 0, 0], [0, 3e-160, 4e-160]])
    assert wide["determinant_sign"][0] == 1
    assert wide["log_abs_determinant"][0] == pytest.approx(2 * (np.log(5) - 320 * np.log(10)))
    narrow = measured(SYMMETRIC | {"rank": 1}, [[1.0], [2.0]])
    assert narrow["determinant_sign"][0] == 0
    assert narrow["log_abs_determinant"][0] == -np.inf


def verdict(**changes):
    basic = {"model": SYMMETRIC, "init": {"kind": "gaussian", "std": 0.1}, "engine": "auto"}
    run = spec(**basic | changes)
    columns = run_whole(run).points.columns
    return columns, judge(run, {name: columns[name] for name in columns_needed(run)})


@pytest.mark.parametrize("rank", [1, 2, 4])
@pytest.mark.parametrize("loss", ["half_sse", "mse"])
def test_the_bound_holds_at_every_point_and_growth_follows_the_law(rank, loss):
    columns, found = verdict(
        model=SYMMETRIC | {"rank": rank},
        loss=loss,
        optimizer={"kind": "gradient_descent", "learning_rate": 3e-2},
        stop={"max_steps": 20_000},
        record={"metrics": ["sharpness"]},
    )
    assert isinstance(found, Verdict)
    assert (found.sign_held_until, found.undecided_from, found.bound_holds) == (20_000, None, True)
    assert found.predicted_limit == np.inf
    assert columns["unobserved_entry"][-1] == pytest.approx(found.tightness_law.unobserved_entry, rel=0.03)
    steepness = columns["sharpness"][-1] / columns["unobserved_entry"][-1]
    assert steepness == pytest.approx(2 if loss == "half_sse" else 4 / 3, rel=0.02)


def test_the_loss_first_rises_where_sharpness_meets_the_learning_rate():
    columns, found = verdict(
        optimizer={"kind": "gradient_descent", "learning_rate": 0.1},
        stop={"max_steps": 8000},
        record={"every": 1, "metrics": ["sharpness"]},
    )
    assert isinstance(found, Verdict)
    met, rises = (int(np.argmax(seen)) for seen in (columns["sharpness"] > 20, np.diff(columns["loss"]) > 0))
    assert 0 < met < rises
    assert found.stability_limit.unobserved_entry == pytest.approx(10)
    assert columns["unobserved_entry"][[met, rises]] == pytest.approx([10, 10], rel=0.15)


def test_a_setting_for_negative_determinants_is_declined():
    _, found = verdict(problem={"kind": "perturbed_2x2", "z": -1.0})
    assert found.startswith("U U^T never has a negative determinant")


@pytest.mark.parametrize(
    ("problem", "limit"),
    [
        ({"kind": "perturbed_2x2", "epsilon": 0.5}, 2),
        ({"kind": "perturbed_2x2", "epsilon": -0.5}, None),
        ({"kind": "perturbed_2x2", "z": 2.0}, None),
        ({"kind": "all_but_corner", "dimension": 3}, np.inf),
    ],
)
def test_a_limit_is_predicted_only_where_the_loss_can_go_to_zero(problem, limit):
    columns, found = verdict(problem=problem, stop={"max_steps": 3000})
    assert isinstance(found, Verdict)
    assert found.bound_holds
    assert found.predicted_limit == limit
    assert limit is not None or columns["loss"][-1] > 0.05
