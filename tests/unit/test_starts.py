"""Starts: what each kind promises of its factors."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.helpers.specs import BASIC, run_whole, spec
from tests.kinds.fitting import valid
from workers.runs.factors import determinant_sign
from workers.runs.initializers import starting_factors
from workers.runs.observations import observe
from workers.runs.spec import RunSpec
from workers.runs.starts.spectral import back_projection

DEEP = {"kind": "deep_matrix", "depth": 3}
RECTANGLE = {"kind": "low_rank_completion", "shape": [5, 4], "rank": 2, "observed": 15, "seed": 1}
SENSING = {"kind": "low_rank_sensing", "shape": [5, 4], "rank": 2, "measurements": 12}
TENSOR = {"kind": "low_rank_completion", "shape": [3, 2, 2], "rank": 1, "observed": 8}
REGRESSION = {"kind": "random_regression", "samples": 12, "dimension": 4, "outputs": 5}
MODELS = (
    DEEP,
    {"kind": "deep_matrix", "depth": 1},
    {"kind": "deep_matrix", "depth": 2, "hidden_width": 3},
    {"kind": "deep_matrix", "depth": 4, "hidden_width": 6},
    {"kind": "symmetric_matrix", "rank": 2},
    {"kind": "cp_tensor", "rank": 3},
)
STARTS = (
    {"kind": "constant", "value": 0.5},
    {"kind": "constant", "value": 0.0},
    {"kind": "orthogonal", "scale": 0.5},
    {"kind": "uniform", "scale": 0.5},
    {"kind": "spectral"},
    {"kind": "spectral", "rank": 2, "scale": 0.1},
    {"kind": "lambda_balanced", "lambda": 0.3, "std": 0.2},
    {"kind": "lambda_balanced", "lambda": -0.3, "std": 0.2},
    {"kind": "gaussian", "std": [0.1, 0.2, 0.3]},
)
PROBLEMS = (
    {"kind": "perturbed_2x2"},
    {"kind": "all_but_corner", "dimension": 4},
    RECTANGLE,
    SENSING,
    TENSOR,
    REGRESSION,
)


def factors_of(init, model=DEEP, problem=None, **parts):
    return starting_factors(spec(init=init, model=model, problem=problem or {"kind": "perturbed_2x2"}, **parts))


def refusal(init, model=DEEP, problem=None):
    with pytest.raises(ValidationError) as refused:
        factors_of(init, model, problem)
    (error,) = refused.value.errors()
    return error["ctx"]["pointer"], error["msg"]


@given(
    problem=st.sampled_from(PROBLEMS),
    model=st.sampled_from(MODELS),
    init=st.sampled_from(STARTS),
    seed=st.integers(0, 5),
)
@settings(max_examples=150, deadline=None)
def test_every_start_that_fits_has_the_model_s_shapes_and_descends(problem, model, init, seed):
    parts = {"problem": problem, "model": model, "init": init, "seed": seed, "engine": "auto"}
    optimizer = {"kind": "gradient_descent", "learning_rate": 1e-9}
    run = valid(BASIC | parts | {"optimizer": optimizer, "stop": {"max_steps": 2}, "record": {"every": 1}})
    if run is None:
        return
    factors = starting_factors(run)
    assert [factor.shape for factor in factors] == list(run.factor_shapes)
    assert all(np.array_equal(*both) for both in zip(factors, starting_factors(run), strict=True))
    assert RunSpec.model_validate(run.resolved()) == run
    losses = run_whole(run).points.columns["loss"]
    assert losses[-1] <= losses[0]


def test_a_constant_fills_every_factor():
    assert all((factor == -0.25).all() for factor in factors_of({"kind": "constant", "value": -0.25}))
    pointer, message = refusal({"kind": "constant", "value": 1.0, "shape": 0.5})
    assert pointer == ["init", "shape"]
    assert "diagonal network" in message


@pytest.mark.parametrize("sign", ["positive", "negative"])
@pytest.mark.parametrize("kind", ["orthogonal", "uniform"])
def test_drawn_starts_have_the_determinant_sign_that_is_asked_for(kind, sign):
    for seed in range(10):
        factors = factors_of({"kind": kind, "scale": 0.5, "determinant": sign}, seed=seed)
        assert determinant_sign(factors) == {"positive": 1, "negative": -1}[sign]


def test_square_orthogonal_factors_are_balanced_and_scaled():
    factors = factors_of({"kind": "orthogonal", "scale": 0.5}, problem={"kind": "all_but_corner", "dimension": 6})
    for left, right in pairwise(factors):
        np.testing.assert_allclose(left.T @ left, right @ right.T, atol=1e-15)
    singular_values = np.linalg.svd(np.linalg.multi_dot(factors))[1]
    np.testing.assert_allclose(singular_values, np.full(6, 0.125), rtol=1e-13)


def test_a_flow_from_an_orthogonal_start_carries_its_determinant():
    run = spec(
        init={"kind": "orthogonal", "scale": 0.5, "determinant": "positive"},
        optimizer={"kind": "gradient_flow"},
        stop={"max_time": 1.0},
        record={"points_per_decade": 2},
        engine="auto",
    )
    columns = run_whole(run).points.columns
    assert (columns["determinant_sign"] == 1).all()


def test_uniform_entries_are_uniform():
    entries = np.concatenate(
        [factor.ravel() for factor in factors_of({"kind": "uniform", "scale": 2.0}, problem=large(60))]
    )
    assert np.abs(entries).max() < 2.0
    assert np.mean(entries) == pytest.approx(0.0, abs=0.05)
    assert np.var(entries) == pytest.approx(4 / 3, rel=0.03)


def large(dimension):
    return {"kind": "all_but_corner", "dimension": dimension}


def test_a_list_of_stds_scales_the_factors_of_a_common_one():
    each = factors_of({"kind": "gaussian", "std": [0.5, 1.0, 2.0]})
    common = factors_of({"kind": "gaussian", "std": 1.0})
    for scale, ours, theirs in zip((0.5, 1.0, 2.0), each, common, strict=True):
        assert np.array_equal(ours, scale * theirs)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("problem", [RECTANGLE, SENSING, REGRESSION])
def test_a_spectral_start_is_numpy_s_best_approximation(problem, depth):
    run = spec(init={"kind": "spectral", "rank": 2}, model=DEEP | {"depth": depth}, problem=problem, engine="torch")
    observed = observe(run.problem)
    if hasattr(observed, "mask"):
        projection = observed.values / observed.mask.mean()
    else:
        rows = observed.outputs.T @ observed.tensors / len(observed.tensors)
        projection = rows.reshape(run.problem.shape)
    left, singular_values, right = np.linalg.svd(projection)
    factors = starting_factors(run)
    product = factors[0] if depth == 1 else np.linalg.multi_dot(factors)
    np.testing.assert_allclose(product, (left[:, :2] * singular_values[:2]) @ right[:2], atol=1e-12)
    for before, after in pairwise(factors):
        np.testing.assert_allclose(before.T @ before, after @ after.T, atol=1e-12)


def test_a_spectral_start_of_a_symmetric_product_takes_the_positive_eigenvalues():
    problem = {"kind": "low_rank_sensing", "shape": [5, 5], "rank": 2, "measurements": 20, "symmetric": True}
    run = spec(init={"kind": "spectral"}, model={"kind": "symmetric_matrix", "rank": 2}, problem=problem)
    projection = back_projection(run.problem)
    eigenvalues, vectors = np.linalg.eigh((projection + projection.T) / 2)
    (factor,) = starting_factors(run)
    kept = np.maximum(eigenvalues[-2:], 0)
    np.testing.assert_allclose(factor @ factor.T, (vectors[:, -2:] * kept) @ vectors[:, -2:].T, atol=1e-12)


@given(
    depth=st.integers(2, 6),
    width=st.integers(1, 4),
    imbalance=st.sampled_from([0.0, 1e-3, 0.7, 30.0, -1e-3, -0.7, -30.0]),
    std=st.sampled_from([1e-6, 0.3, 20.0]),
    seed=st.integers(0, 20),
)
@settings(deadline=None)
def test_lambda_balanced_factors_are_out_of_balance_by_lambda(depth, width, imbalance, std, seed):
    init = {"kind": "lambda_balanced", "lambda": imbalance, "std": std}
    model = {"kind": "deep_matrix", "depth": depth, "hidden_width": width}
    factors = factors_of(init, model, {**RECTANGLE, "shape": [5, 4]}, seed=seed)
    size = max(np.linalg.norm(factor) ** 2 for factor in factors)
    for left, right in pairwise(factors):
        np.testing.assert_allclose(left.T @ left - right @ right.T, imbalance * np.eye(width), atol=1e-13 * size)
    drawn = std * np.random.default_rng(seed).standard_normal((5, 4))
    ours, theirs = (np.linalg.svd(matrix)[1] for matrix in (np.linalg.multi_dot(factors), drawn))
    scale = np.prod([np.linalg.norm(factor, 2) for factor in factors])
    np.testing.assert_allclose(ours[: min(width, 4)], theirs[: min(width, 4)], rtol=1e-9, atol=1e-13 * scale)


def test_a_lambda_balanced_start_keeps_lambda_along_a_flow():
    init = {"kind": "lambda_balanced", "lambda": 0.5, "std": 0.3}
    run = spec(
        init=init,
        optimizer={"kind": "gradient_flow"},
        stop={"max_time": 2.0},
        engine="auto",
        record={"points_per_decade": 2},
    )
    assert run_whole(run).points.columns["conservation_drift"].max() < 1e-8


@pytest.mark.parametrize(
    ("init", "model", "problem", "pointer", "words"),
    [
        ({"kind": "lambda_balanced", "lambda": 1, "std": 1}, DEEP | {"depth": 1}, None, ["init", "kind"], "depth 2"),
        ({"kind": "lambda_balanced", "lambda": 1, "std": 1}, MODELS[4], None, ["init", "kind"], "depth 2"),
        (
            {"kind": "lambda_balanced", "lambda": 1, "std": 1},
            DEEP | {"hidden_width": 5},
            None,
            ["init", "lambda"],
            "rows must be",
        ),
        (
            {"kind": "lambda_balanced", "lambda": -1, "std": 1},
            DEEP | {"hidden_width": 5},
            RECTANGLE,
            ["init", "lambda"],
            "columns must be",
        ),
        ({"kind": "spectral"}, {"kind": "cp_tensor"}, TENSOR, ["init", "kind"], "order 3"),
        ({"kind": "spectral", "rank": 3}, DEEP, None, ["init", "rank"], "rank 2 at most"),
        ({"kind": "spectral", "rank": 3}, DEEP | {"hidden_width": 2}, RECTANGLE, ["init", "rank"], "rank 2 at most"),
        ({"kind": "gaussian", "std": [0.1, 0.2]}, DEEP, None, ["init", "std"], "3 factors"),
        ({"kind": "gaussian", "std": [0.1] * 3, "balanced": True}, DEEP, None, ["init", "balanced"], "single std"),
        ({"kind": "gaussian", "std": [0.1] * 3, "std_of": "product"}, DEEP, None, ["init", "std_of"], "single number"),
        (
            {"kind": "orthogonal", "scale": 1, "determinant": "positive"},
            DEEP,
            RECTANGLE,
            ["init", "determinant"],
            "no determinant",
        ),
        (
            {"kind": "uniform", "scale": 1, "determinant": "positive"},
            {"kind": "cp_tensor"},
            TENSOR,
            ["init", "determinant"],
            "cp_tensor",
        ),
    ],
)
def test_a_start_that_does_not_exist_is_refused_with_a_sentence(init, model, problem, pointer, words):
    given_pointer, message = refusal(init, model, problem)
    assert given_pointer == pointer
    assert words in message
