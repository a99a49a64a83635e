"""Verdicts on trajectories: how long the sign held, where it is below rounding, what is predicted, what is not said."""

from fractions import Fraction

import numpy as np
import pytest

from tests.helpers.specs import run_whole, spec
from workers.lab.metrics.matrix import matrix_metrics
from workers.runs.theory.rounding import largest_factor_norm, sign_is_certain
from workers.runs.theory.verdicts import Verdict, columns_needed, judge

GAUSSIAN = {"kind": "gaussian", "std": 1e-2, "std_of": "product", "balanced": True, "determinant": "positive"}
ALL_ENTRIES = [[0, 0], [0, 1], [1, 0], [1, 1]]


def judged(run):
    result = run_whole(run)
    columns = {name: result.points.columns[name] for name in columns_needed(run)}
    return columns, judge(run, columns, result.progress[0].summary["determinant_sign_changed_at"])


def verdict(run) -> Verdict:
    found = judged(run)[1]
    assert isinstance(found, Verdict), found
    return found


def test_a_run_that_keeps_its_sign_keeps_the_bound():
    found = verdict(spec(init=GAUSSIAN, stop={"max_steps": 2000, "loss_below": 1e-3}))
    assert found.sign_held_until == 2000
    assert found.undecided_from is None
    assert found.bound_holds
    assert 1 - 1e-9 <= found.worst_margin < 1.02
    assert found.predicted_limit == np.inf
    assert found.tightness_law.time == pytest.approx(20)
    assert found.tightness_law.unobserved_entry == pytest.approx(160**0.375)
    assert found.stability_limit.unobserved_entry == pytest.approx(200**0.75)
    assert found.stability_limit.loss == pytest.approx(0.5 / 200**1.5)
    assert "certificate" not in found.columns


def test_the_certificate_needs_every_observed_entry():
    columns, found = judged(spec(init=GAUSSIAN, record={"entries": ALL_ENTRIES}))
    assert isinstance(found, Verdict)
    assert (np.abs(columns["unobserved_entry"]) >= found.columns["certificate"] * (1 - 1e-9)).all()
    assert (found.columns["certificate"] >= found.columns["bound"] * (1 - 1e-9))[columns["loss"] < 0.3].all()
    assert "certificate" not in verdict(spec(init=GAUSSIAN, record={"entries": ALL_ENTRIES[:3]})).columns


def test_a_mean_square_loss_is_the_same_run_at_another_rate():
    half = verdict(spec(init=GAUSSIAN, stop={"max_steps": 1500}))
    rate = {"kind": "gradient_descent", "learning_rate": 1.5e-2}
    mean = verdict(spec(init=GAUSSIAN, stop={"max_steps": 1500}, loss="mse", optimizer=rate))
    assert mean.columns["bound"] == pytest.approx(half.columns["bound"], rel=1e-6)
    assert mean.worst_margin == pytest.approx(half.worst_margin, rel=1e-6)
    assert mean.tightness_law.unobserved_entry == pytest.approx(half.tightness_law.unobserved_entry)
    assert mean.stability_limit.unobserved_entry == pytest.approx(half.stability_limit.unobserved_entry)
    assert mean.stability_limit.loss == pytest.approx(half.stability_limit.loss * 2 / 3)


def test_laws_are_for_plain_descent_in_the_basic_setting():
    momentum = {"kind": "momentum", "learning_rate": 1e-3}
    for run in (
        spec(init=GAUSSIAN, optimizer=momentum),
        spec(init=GAUSSIAN, model={"kind": "deep_matrix", "depth": 1}),
        spec(init=GAUSSIAN, problem={"kind": "perturbed_2x2", "epsilon": 0.5}),
    ):
        found = verdict(run)
        assert found.bound_holds
        assert found.tightness_law is None
        assert found.stability_limit is None


def test_a_run_whose_determinant_changes_sign_is_judged_until_then():
    run = spec(init=GAUSSIAN | {"balanced": False, "std": 1e-5}, model={"kind": "deep_matrix", "depth": 2})
    columns, found = judged(run)
    assert isinstance(found, Verdict)
    before = columns["step"][np.argmax(columns["determinant_sign"] < 0) - 1]
    assert found.sign_held_until == before
    assert found.undecided_from is None
    assert found.bound_holds


def test_a_start_of_the_other_sign_or_a_narrow_model_has_no_theory():
    negative = judged(spec(init=GAUSSIAN | {"determinant": "negative"}))[1]
    assert negative == "The determinant starts negative; theory speaks of this setting for positive determinants only."
    narrow = {"kind": "deep_matrix", "depth": 2, "hidden_width": 1}
    assert "hidden width" in judged(spec(init={"kind": "identity", "scale": 0.1}, model=narrow))[1]


def test_a_run_without_points_has_no_verdict_yet():
    run = spec(init=GAUSSIAN)
    found = judge(run, {name: np.zeros(0) for name in columns_needed(run)})
    assert isinstance(found, Verdict)
    assert (found.sign_held_until, found.undecided_from, found.bound_holds, found.worst_margin) == (None,) * 4


def columns_of(run, factors):
    """The columns a verdict needs, measured at given factors (points, L, n, n)."""
    rows = np.asarray(factors, dtype=float).reshape(len(factors), -1)
    found = matrix_metrics([run], np.zeros(len(rows), dtype=np.int64), rows)
    step = np.arange(len(rows))
    return {"step": step, "time": step * 1.0, "loss": np.full(len(rows), 0.1), **found}


def balanced_points(depth, small):
    """Balanced factors with singular values 1 and `small` of the product, turned."""
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    middle = np.diag([1.0, small ** (1 / depth)])
    return [turn @ middle, *[middle] * (depth - 2), middle @ turn]


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_sign_below_rounding_is_undecided(depth):
    run = spec(init=GAUSSIAN, model={"kind": "deep_matrix", "depth": depth})
    sizes = [1e-2, 1e-8, 1e-11, 1e-40, 1e-2]
    columns = columns_of(run, [balanced_points(depth, small) for small in sizes])
    assert sign_is_certain(run, columns).tolist() == [True, True, True, False, True]
    found = judge(run, columns)
    assert isinstance(found, Verdict)
    assert (found.sign_held_until, found.undecided_from) == (2, 3)


def test_after_a_change_of_sign_nothing_is_undecided_any_more():
    run = spec(init=GAUSSIAN, model={"kind": "deep_matrix", "depth": 2})
    points = [balanced_points(2, small) for small in (1e-2, 1e-2, 1e-40)]
    points[1] = [points[1][0] @ np.diag([1, -1]), points[1][1]]
    found = judge(run, columns_of(run, points))
    assert isinstance(found, Verdict)
    assert (found.sign_held_until, found.undecided_from) == (0, None)


@pytest.mark.parametrize(("dimension", "width"), [(2, None), (2, 5), (4, None)])
def test_certain_signs_are_those_of_exact_arithmetic(dimension, width):
    """Nearly singular factors, whose determinants are computed exactly in rational arithmetic."""
    rng = np.random.default_rng(0)
    problem = {"kind": "all_but_corner", "dimension": dimension}
    run = spec(init=GAUSSIAN, problem=problem, model={"kind": "deep_matrix", "depth": 2, "hidden_width": width})
    points = [nearly_singular(rng, run.factor_shapes) for _ in range(1500)]
    rows = np.array([np.concatenate([factor.ravel() for factor in one]) for one in points])
    columns = matrix_metrics([run], np.zeros(len(rows), dtype=np.int64), rows)
    certain = sign_is_certain(run, columns)
    wrong = columns["determinant_sign"] != [exact_sign(one) for one in points]
    assert 100 < certain.sum() < len(points)
    assert wrong.any()
    assert not (certain & wrong).any()
    norms = np.array([max(np.linalg.norm(factor, 2) for factor in one) for one in points])
    assert (norms <= largest_factor_norm(run, columns) * (1 + 1e-12)).all()


def nearly_singular(rng, shapes):
    """Factors of which the first has two rows that differ by anything from rounding on."""
    factors = [rng.integers(-(2**20), 2**20, shape) * 1.0 for shape in shapes]
    other = rng.standard_normal(shapes[0][1]) * 10.0 ** rng.uniform(-12, 5)
    factors[0][1] = factors[0][0] * rng.integers(1, 4) + other
    return factors


def exact_sign(factors):
    """Sign of det(F1 F2) of floats, by elimination in rational arithmetic."""
    left, right = ([[Fraction(value) for value in row] for row in factor.tolist()] for factor in factors)
    rows = [[sum(x * right[k][j] for k, x in enumerate(row)) for j in range(len(left))] for row in left]
    sign = 1
    for k in range(len(rows)):
        pivot = next((i for i in range(k, len(rows)) if rows[i][k]), None)
        if pivot is None:
            return 0
        if pivot != k:
            rows[k], rows[pivot], sign = rows[pivot], rows[k], -sign
        sign = sign if rows[k][k] > 0 else -sign
        for i in range(k + 1, len(rows)):
            share = rows[i][k] / rows[k][k]
            rows[i] = [x - share * y for x, y in zip(rows[i], rows[k], strict=True)]
    return sign


def test_float32_runs_are_judged_with_their_own_rounding():
    found = verdict(spec(init=GAUSSIAN, precision="float32", stop={"max_steps": 20000, "loss_below": 1e-3}))
    assert found.bound_holds


@pytest.mark.parametrize("loss", ["l1", {"kind": "huber", "delta": 0.5}, {"kind": "lp", "p": 4}])
def test_it_says_that_it_speaks_of_squares_alone(loss):
    run = spec(loss=loss, init=GAUSSIAN, stop={"max_steps": 10})
    assert judged(run)[1] == (
        f"Theory speaks of squared residuals (half_sse and mse), and the loss of this run is {run.loss.kind}."
    )
