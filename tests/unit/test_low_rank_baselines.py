"""Greedy low-rank learning and soft-impute: other solvers, descents from tiny starts, and what is proven of both."""

import numpy as np
import pytest

from service.limits import first_violation
from service.settings import Limits
from tests.helpers.specs import run_whole, spec
from workers.lab.baselines import greedy_low_rank, soft_impute
from workers.lab.baselines.solutions import NotSolved
from workers.lab.baselines.solvers import solve
from workers.records import Outcome
from workers.runs.costs import most_multiply_adds, most_points
from workers.runs.metrics import summary_metrics_of

PROBLEM = {"kind": "low_rank_completion", "shape": [10, 10], "rank": 3, "observed": 85, "norm": 10.0, "seed": 1}


@pytest.fixture(autouse=True)
def forget():
    greedy_low_rank.learn_greedily.cache.clear()
    soft_impute.impute.cache_clear()


def solution(problem=PROBLEM, **model):
    return solve(spec(problem=problem, model=model, engine="auto").settled())


def singular_values(matrix):
    return np.linalg.svd(matrix, compute_uv=False)


def observed_of(problem=PROBLEM, **parts):
    return spec(problem=problem, engine="auto", **parts).problem.observe()


def whole(target):
    """Every entry of a matrix observed."""
    entries = [{"index": [i, j], "value": float(target[i, j])} for i, j in np.ndindex(*target.shape)]
    return {"kind": "completion", "shape": list(target.shape), "observations": entries}


def test_its_points_are_the_best_approximations_where_all_is_observed():
    target = np.random.default_rng(0).standard_normal((4, 6))
    left, sizes, right = np.linalg.svd(target, full_matrices=False)
    found = solution(whole(target), kind="greedy_low_rank")
    assert (found.outcome, len(found.path)) == (Outcome.CONVERGED, 5)
    for rank, matrix in enumerate(found.path):
        np.testing.assert_allclose(matrix, (left[:, :rank] * sizes[:rank]) @ right[:rank], atol=1e-5)


def test_symmetric_products_learn_the_eigenvalues_above_zero():
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    sizes = np.array([3.0, 1.0, -2.0, -0.5])
    found = solution(whole((basis * sizes) @ basis.T), kind="greedy_low_rank", symmetric=True)
    assert (found.outcome, len(found.path)) == (Outcome.CONVERGED, 3)
    np.testing.assert_allclose(found.path[1], 3 * np.outer(basis[:, 0], basis[:, 0]), atol=1e-5)
    np.testing.assert_allclose(found.path[2], (basis * np.maximum(sizes, 0)) @ basis.T, atol=1e-5)


@pytest.mark.parametrize("loss", ["half_sse", "mse", {"kind": "huber", "delta": 0.5}])
def test_a_rank_ends_where_the_gradient_in_the_factors_vanishes(loss):
    run = spec(problem=PROBLEM, model={"kind": "greedy_low_rank", "max_rank": 2}, loss=loss, engine="auto").settled()
    found = solve(run)
    assert (found.outcome, len(found.path)) == (Outcome.BUDGET_EXHAUSTED, 3)
    assert found.proofs["stationarity"] <= 1e-7
    observed = run.problem.observe()
    residual = np.where(observed.mask, found.matrix - observed.values, 0.0)
    slope = np.clip(residual, -0.5, 0.5) if isinstance(loss, dict) else residual
    left, sizes, right = np.linalg.svd(found.matrix)
    assert sizes[2] < 1e-9
    scale = np.linalg.norm(np.where(observed.mask, observed.values, 0.0), 2)
    assert np.abs(left[:, :2].T @ slope).max() < 1e-5 * scale
    assert np.abs(slope @ right[:2].T).max() < 1e-5 * scale
    assert np.abs(slope).max() > 0.1


def test_descent_from_a_tiny_start_passes_each_of_its_points():
    """Descent at depth 2 rests near the greedy matrices, in turn (Li, Luo and Lyu 2021)."""
    greedy = solution(kind="greedy_low_rank", max_rank=3)
    descent = spec(
        problem=PROBLEM,
        model={"kind": "deep_matrix", "depth": 2},
        init={"kind": "gaussian", "std": 1e-6},
        optimizer={"kind": "gradient_descent", "learning_rate": 0.02},
        stop={"max_steps": 40_000, "loss_below": 1e-12},
        record={"points_per_decade": 300},
        engine="auto",
    )
    passed = run_whole(descent).points.columns["singular_values"]
    for rank, matrix in enumerate(greedy.path[1:], start=1):
        sizes = singular_values(matrix)
        nearest = np.linalg.norm(passed - sizes, axis=1).min() / np.linalg.norm(sizes)
        assert nearest < 1e-2, rank


def test_its_run_has_a_point_for_each_rank():
    run = spec(problem=PROBLEM, model={"kind": "greedy_low_rank", "loss_below": 1e-9}, engine="auto")
    result = run_whole(run)
    (progress,), columns = result.progress, result.points.columns
    assert columns["step"].tolist() == [0, 1, 2, 3]
    assert (np.diff(columns["loss"]) < 0).all()
    assert progress.outcome == Outcome.CONVERGED
    assert progress.summary["steps"] == 3
    assert progress.summary["first_step_below"]["1e-9"] == 3
    np.testing.assert_allclose(columns["effective_rank"][1], 1, atol=1e-6)
    assert columns["reconstruction_error"][-1] < 1e-5
    assert set(summary_metrics_of(run)) >= {"solver", "stationarity"}
    assert not {"duality_gap", "constraint_violation"} & set(summary_metrics_of(run))


def test_a_rank_that_does_not_settle_is_a_sentence(monkeypatch):
    monkeypatch.setattr(greedy_low_rank, "MOST_STEPS", 2)
    with pytest.raises(NotSolved, match=r"L-BFGS ended rank 1 with a relative gradient of .* raise that"):
        solution(kind="greedy_low_rank")


@pytest.mark.parametrize("model", [{"kind": "greedy_low_rank"}, {"kind": "soft_impute"}])
def test_a_solver_without_time_is_a_sentence(model):
    with pytest.raises(NotSolved, match=r"raise model\.max_seconds"):
        solution(**model, max_seconds=1e-9)


@pytest.mark.parametrize("model", [{"kind": "greedy_low_rank"}, {"kind": "soft_impute", "penalty": 0.1}])
def test_of_zeros_nothing_is_learnt(model):
    found = solution(whole(np.zeros((3, 3))), **model)
    assert found.outcome == Outcome.CONVERGED
    assert not found.matrix.any()


@pytest.mark.parametrize("penalty", [3.0, 0.3])
def test_soft_impute_solves_the_program_of_another_solver(penalty):
    import cvxpy as cp

    problem = {**PROBLEM, "observed": 50}
    observed = observed_of(problem)
    found = solution(problem, kind="soft_impute", penalty=penalty)
    matrix, mask = cp.Variable((10, 10)), observed.mask.astype(float)
    fit = 0.5 * cp.sum_squares(cp.multiply(mask, matrix - observed.values))
    other = cp.Problem(cp.Minimize(fit + penalty * cp.normNuc(matrix))).solve(solver="CLARABEL")
    residual = np.where(observed.mask, observed.values - found.matrix, 0.0)
    objective = 0.5 * np.sum(residual**2) + penalty * singular_values(found.matrix).sum()
    assert objective == pytest.approx(other, rel=1e-6)
    np.testing.assert_allclose(found.matrix, matrix.value, atol=1e-3)
    assert found.proofs["duality_gap"] < 1e-5
    assert found.proofs["stationarity"] < 1e-8


def test_soft_impute_meets_its_conditions_by_hand():
    """The residual is the penalty times u v^T on the matrix's own vectors, and no larger on others."""
    found = solution(kind="soft_impute", penalty=0.5)
    observed = observed_of()
    residual = np.where(observed.mask, observed.values - found.matrix, 0.0)
    left, sizes, right = np.linalg.svd(found.matrix)
    rank = int(np.count_nonzero(sizes > 1e-6))
    np.testing.assert_allclose(left[:, :rank].T @ residual @ right[:rank].T, 0.5 * np.eye(rank), atol=1e-6)
    assert np.linalg.norm(residual, 2) <= 0.5 + 1e-6


def test_its_path_goes_from_zero_to_the_penalty():
    target = np.random.default_rng(2).standard_normal((4, 4))
    left, sizes, right = np.linalg.svd(target)
    found = solution(whole(target), kind="soft_impute", penalty=float(sizes[0] / 8), penalties=3)
    for matrix, penalty in zip(found.path, sizes[0] / [1, 2, 4, 8], strict=True):
        np.testing.assert_allclose(matrix, (left * np.maximum(sizes - penalty, 0)) @ right, atol=1e-6)


def test_a_wrong_answer_fails_its_certificate(monkeypatch):
    real = soft_impute._settle
    monkeypatch.setattr(soft_impute, "_settle", lambda *arguments: 1.05 * real(*arguments))
    with pytest.raises(NotSolved, match="duality gap"):
        solution(kind="soft_impute", penalty=0.5)


def test_costs_and_points_are_those_of_the_path():
    greedy = spec(problem=PROBLEM, model={"kind": "greedy_low_rank", "max_rank": 4}, engine="auto")
    soft = spec(problem=PROBLEM, model={"kind": "soft_impute", "penalties": 7}, engine="auto")
    assert (most_points(greedy), most_points(soft)) == (5, 8)
    assert most_multiply_adds(greedy) > 0
    assert most_multiply_adds(soft) > 0


@pytest.mark.parametrize(
    ("model", "pointer", "advice"),
    [
        ({"kind": "greedy_low_rank"}, ("model", "max_rank"), "take a smaller max_rank"),
        ({"kind": "greedy_low_rank", "max_rank": 1}, ("problem",), "take a smaller matrix"),
        ({"kind": "soft_impute", "penalties": 900}, ("model", "penalties"), "take fewer penalties"),
        ({"kind": "soft_impute", "penalties": 1}, ("problem",), "take a smaller matrix"),
    ],
)
def test_a_solve_that_takes_too_much_memory_says_what_takes_less(model, pointer, advice):
    run = spec(problem={**PROBLEM, "shape": [100, 100]}, model=model, engine="auto")
    smallest = {"greedy_low_rank": 8 * 10_000 * 63, "soft_impute": 8 * 10_000 * 15}[model["kind"]]
    limit = smallest if advice != "take a smaller matrix" else 10_000
    path, sentence = first_violation(run, Limits(max_solver_bytes=limit))
    assert path == pointer
    assert advice in sentence
