"""Problems that are drawn: spectra, kinds of measurement, outliers, regression, and what is held out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.specs import run_whole, spec
from workers.lab.product_loss import ProductLoss
from workers.runs.haar import haar
from workers.runs.observations import held_out, observe
from workers.runs.reduction import reduced
from workers.runs.spec import RunSpec

GAUSSIAN = {"kind": "gaussian", "std": 0.1}
LOW_RANK = {"kind": "low_rank_completion", "shape": [6, 5], "rank": 3, "observed": 20, "norm": 3.0, "seed": 4}
SENSING = {"kind": "low_rank_sensing", "shape": [4, 3], "rank": 2, "measurements": 9, "seed": 4}


def run_of(problem, **parts) -> RunSpec:
    """A run of a deep matrix of depth 2, or of a tensor's components."""
    is_tensor = len(problem.get("shape", ())) > 2
    model = {"kind": "cp_tensor"} if is_tensor else {"kind": "deep_matrix", "depth": 2}
    return spec(**{"problem": problem, "model": model, "init": GAUSSIAN, "engine": "auto", **parts})


def observed(problem, **changes):
    return observe(run_of({**problem, **changes}).problem)


def unseen(problem, **changes):
    return observe(held_out(run_of({**problem, **changes}).problem))


def test_draws_of_before_keep_their_bits():
    """Computed before spectra, outliers and held-out observations were known."""
    entries, measured = observed(LOW_RANK | {"noise": 0.1}), observed(SENSING | {"noise": 0.1})
    generator = np.random.default_rng([4, 0])
    product = generator.standard_normal((6, 3)) @ generator.standard_normal((3, 5))
    target = product * (3.0 / np.linalg.norm(product))
    noisy = target + (0.1 * np.random.default_rng([4, 3]).standard_normal(30)).reshape(6, 5)
    seen = np.isin(np.arange(30), np.random.default_rng([4, 1]).permutation(30)[:20]).reshape(6, 5)
    assert np.array_equal(entries.target, target)
    assert np.array_equal(entries.values, np.where(seen, noisy, 0.0))
    tensors = np.random.default_rng([4, 2]).standard_normal((9, 12))
    noise = 0.1 * np.random.default_rng([4, 3]).standard_normal(9)
    assert np.array_equal(measured.tensors, tensors)
    assert np.array_equal(measured.values, tensors @ measured.target.ravel() + noise)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("problem", [LOW_RANK | {"shape": [6, 6]}, SENSING | {"shape": [5, 5]}])
def test_a_spectrum_is_that_of_the_target(problem, symmetric):
    changes = {"spectrum": [12.0, 6.0, 4.0], "symmetric": symmetric}
    fields = {name: value for name, value in (problem | changes).items() if name not in ("rank", "norm")}
    run = run_of(fields)
    target = observe(run.problem).target
    assert np.linalg.svd(target)[1] == pytest.approx([12, 6, 4, *[0] * (len(target) - 3)], abs=1e-12)
    assert (run.problem.rank, run.problem.norm) == (3, pytest.approx(14.0))
    assert np.allclose(target, target.T) == symmetric
    assert RunSpec.model_validate(run.resolved()) == run


@pytest.mark.parametrize("kappa", [1.0, 4.0, 20.0])
def test_a_condition_number_spaces_singular_values_evenly(kappa):
    values = np.linalg.svd(observed(LOW_RANK, condition_number=kappa).target)[1]
    assert values[0] / values[2] == pytest.approx(kappa)
    assert values[0] - values[1] == pytest.approx(values[1] - values[2], abs=1e-12)
    assert np.linalg.norm(values) == pytest.approx(3.0)


def test_measurements_of_each_kind_keep_their_scale():
    plain, normalised = observed(SENSING), observed(SENSING, measurement="gaussian_normalised")
    assert normalised.tensors == pytest.approx(plain.tensors / np.sqrt(12))
    for shape in ([4, 3], [2, 3, 2]):
        single = observed(SENSING, measurement="rank_one", shape=shape, measurements=2000)
        for tensor in single.tensors[:20].reshape(-1, *shape):
            assert np.linalg.matrix_rank(tensor.reshape(shape[0], -1)) == 1
        assert np.mean(single.tensors**2) == pytest.approx(1.0, rel=0.2)
        assert single.values == pytest.approx(single.tensors @ single.target.ravel())
        fewer = observed(SENSING, measurement="rank_one", shape=shape, measurements=9)
        assert np.array_equal(fewer.tensors, single.tensors[:9])


@pytest.mark.parametrize(("share", "struck"), [(0.0, 0), (0.25, 5), (1.0, 20)])
def test_outliers_strike_a_share_of_the_observations(share, struck):
    clean, corrupted = observed(LOW_RANK), observed(LOW_RANK, outliers={"share": share, "scale": 100.0})
    moved = corrupted.values - clean.values
    assert np.count_nonzero(moved) == struck
    assert not moved[~clean.mask].any()
    assert np.array_equal(clean.target, corrupted.target)
    assert np.array_equal(unseen(LOW_RANK, held_out=3).values, unseen(LOW_RANK, held_out=3).values)


def test_the_size_of_outliers_is_their_scale():
    problem = SENSING | {"measurements": 20_000}
    moved = observed(problem, outliers={"share": 0.5, "scale": 7.0}).values - observed(problem).values
    assert np.std(moved[moved != 0]) == pytest.approx(7.0, rel=0.03)


def test_held_out_entries_are_unobserved_exact_and_do_not_depend_on_how_many_are_observed():
    noisy = LOW_RANK | {"noise": 0.5, "outliers": {"share": 0.5, "scale": 9.0}, "held_out": 6}
    few, many = unseen(noisy, observed=5), unseen(noisy, observed=24)
    assert np.array_equal(few.mask, many.mask)
    assert few.mask.sum() == 6
    assert not (few.mask & observed(noisy, observed=24).mask).any()
    target = observed(noisy).target
    assert np.array_equal(few.values[few.mask], target[few.mask])


@pytest.mark.parametrize("kind", ["gaussian", "gaussian_normalised", "rank_one"])
def test_held_out_measurements_are_fresh_and_exact(kind):
    problem = SENSING | {"noise": 0.5, "measurement": kind, "held_out": 9}
    seen, fresh = observed(problem), unseen(problem)
    assert not np.isin(fresh.tensors, seen.tensors).any()
    assert np.allclose(fresh.values, fresh.tensors @ seen.target.ravel())


def test_random_regression_is_sparse_noisy_and_nested():
    problem = {"kind": "random_regression", "samples": 50, "dimension": 8, "outputs": 3, "sparsity": 2, "seed": 1}
    exact, noisy = observed(problem), observed(problem, noise=0.5)
    assert (np.count_nonzero(exact.target, axis=1) == 2).all()
    assert np.allclose(exact.outputs, exact.tensors @ exact.target.T)
    assert np.std(noisy.outputs - exact.outputs) == pytest.approx(0.5, rel=0.2)
    assert np.array_equal(observed(problem, samples=10, noise=0.5).outputs, noisy.outputs[:10])
    assert np.array_equal(observed(problem, samples=10).target, exact.target)


def written_out(regression):
    """The same samples as measurements of the whole matrix."""
    shape = list(regression.shape)
    measurements = []
    for inputs, outputs in zip(regression.input_rows, regression.output_rows, strict=True):
        for row, value in enumerate(outputs):
            tensor = np.zeros(shape)
            tensor[row] = inputs
            measurements.append({"tensor": tensor.tolist(), "value": float(value)})
    return {"kind": "sensing", "shape": shape, "measurements": measurements}


@pytest.mark.parametrize("loss", ["half_sse", "mse"])
@pytest.mark.parametrize(("samples", "outputs"), [(7, 2), (3, 2), (7, 1)])
def test_regression_is_sensing_written_out(loss, samples, outputs):
    numbers = np.random.default_rng(0)
    inputs, targets = numbers.standard_normal((samples, 4)), numbers.standard_normal((samples, outputs))
    parts = {"loss": loss, "stop": {"max_steps": 200}, "record": {"every": 20}}
    plain = targets[:, 0] if outputs == 1 else targets
    regression = run_of({"kind": "regression", "inputs": inputs.tolist(), "outputs": plain.tolist()}, **parts)
    sensing = run_of(written_out(regression.problem), **parts)
    ours, theirs = (run_whole(run).points.columns for run in (regression, sensing))
    for name in ("loss", "singular_values", "gradient_norm"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rows", [5, 40])
def test_a_reduced_system_has_the_same_squares(rows):
    problem = {"kind": "random_regression", "samples": rows, "dimension": 6, "outputs": 2, "noise": 0.3}
    run, full = run_of(problem), observed(problem)
    small = reduced(run.problem)
    assert len(small.tensors) == min(rows, 6)
    for product in np.random.default_rng(1).standard_normal((5, 2, 6)):
        squares = np.sum((full.tensors @ product.T - full.outputs) ** 2)
        assert ProductLoss(run).value(product) == pytest.approx(squares / 2, rel=1e-13)


def test_an_exact_fit_has_a_loss_at_rounding_and_not_at_its_root():
    """The normal equations would leave a loss of about 1e-16 times the squared outputs."""
    run = run_of({"kind": "random_regression", "samples": 1000, "dimension": 20})
    outputs = observe(run.problem).outputs
    assert ProductLoss(run).value(run.problem.target()) < 1e-28 * np.sum(outputs**2)


@pytest.mark.parametrize(
    "problem",
    [
        LOW_RANK | {"held_out": 7},
        SENSING | {"held_out": 7},
        {"kind": "random_regression", "samples": 9, "dimension": 4, "outputs": 2, "held_out": 5},
        {**LOW_RANK, "shape": [3, 3, 3], "rank": 2, "held_out": 5},
    ],
)
@pytest.mark.parametrize("loss", ["half_sse", "mse"])
def test_the_test_loss_is_that_of_the_held_out_observations(problem, loss):
    run = run_of(problem, loss=loss, stop={"max_steps": 20}, record={"every": 20})
    result = run_whole(run)
    state = result.progress[0].checkpoint.state
    shapes = run.factor_shapes
    cuts = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
    factors = [part.reshape(shape) for part, shape in zip(np.split(state, cuts), shapes, strict=True)]
    names = "ar br cr" if len(shapes) == 3 else None
    product = factors[0] @ factors[1] if names is None else np.einsum("ar,br,cr->abc", *factors)
    data = unseen(problem)
    if hasattr(data, "mask"):
        residual = (product - data.values)[data.mask]
    else:
        residual = (product.reshape(data.outputs.shape[1], -1) @ data.tensors.T - data.outputs.T).ravel()
    expected = np.mean(residual**2) if loss == "mse" else np.sum(residual**2) / 2
    assert result.points.columns["test_loss"][-1] == pytest.approx(expected, rel=1e-12)
    assert result.progress[0].last_point == len(result.points.member) - 1


def test_haar_matrices_have_the_moments_of_their_distribution():
    """E tr^2 = 1 and E tr^4 = 3 for n of at least 4 (Diaconis and Shahshahani 1994); without signs they are others."""
    stream = np.random.default_rng(0)
    traces = np.array([np.trace(haar(stream, 4, 4)) for _ in range(20_000)])
    assert np.mean(traces) == pytest.approx(0.0, abs=0.03)
    assert np.mean(traces**2) == pytest.approx(1.0, abs=0.04)
    assert np.mean(traces**4) == pytest.approx(3.0, abs=0.3)


@given(rows=st.integers(1, 9), columns=st.integers(1, 9), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_rectangular_haar_matrices_are_orthonormal(rows, columns, seed):
    matrix = haar(np.random.default_rng(seed), rows, columns)
    gram = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
    np.testing.assert_allclose(gram, np.eye(min(rows, columns)), atol=1e-14)
