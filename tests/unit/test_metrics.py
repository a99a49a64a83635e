"""Metrics against their definitions, written out in numpy one matrix at a time."""

import itertools

import numpy as np
import pytest
import torch

from tests.helpers.specs import spec
from workers.lab.metrics.factors import log_determinant
from workers.lab.metrics.matrix import matrix_metrics
from workers.lab.metrics.spectrum import participation_ratio

EXTRA = {"metrics": ["determinant", "schatten_quasi_norm", "numerical_rank"], "entries": [[0, 0], [1, 1]]}


def completion(values, unobserved):
    rows, columns = values.shape
    observations = [
        {"index": [i, j], "value": float(values[i, j])}
        for i in range(rows)
        for j in range(columns)
        if (i, j) != unobserved
    ]
    return {"kind": "completion", "shape": [rows, columns], "observations": observations, "target": values.tolist()}


@pytest.fixture
def measured():
    rng = np.random.default_rng(1)
    target = rng.standard_normal((3, 3))
    run = spec(problem=completion(target, (2, 1)), record=EXTRA, model={"kind": "deep_matrix", "depth": 4})
    factors = [[rng.standard_normal((3, 3)) for _ in range(4)] for _ in range(5)]
    rows = np.array([np.concatenate([f.ravel() for f in one]) for one in factors])
    return run, target, factors, matrix_metrics([run], np.zeros(5, dtype=np.int64), rows)


def test_every_metric_equals_its_definition(measured):
    _run, target, factors, found = measured
    for i, one in enumerate(factors):
        whole = np.linalg.multi_dot(one)
        s = np.linalg.svd(whole, compute_uv=False)
        p = s / s.sum()
        expected = {
            "unobserved_entry": whole[2, 1],
            "frobenius_norm": np.sqrt((whole**2).sum()),
            "nuclear_norm": s.sum(),
            "spectral_norm": s[0],
            "effective_rank": np.exp(-(p * np.log(p)).sum()),
            "stable_rank": (whole**2).sum() / s[0] ** 2,
            "participation_ratio": s.sum() ** 2 / (s**2).sum(),
            "determinant_sign": np.sign(np.linalg.det(whole)),
            "log_abs_determinant": np.log(abs(np.linalg.det(whole))),
            "determinant": np.linalg.det(whole),
            "balancedness_gap": max(np.linalg.norm(a.T @ a - b @ b.T) for a, b in itertools.pairwise(one)),
            "reconstruction_error": np.linalg.norm(whole - target) / np.linalg.norm(target),
            "schatten_quasi_norm": (s**0.5).sum() ** 2,
            "numerical_rank": 3,
        }
        for name, value in expected.items():
            assert found[name][i] == pytest.approx(value, rel=1e-9), name
        assert found["singular_values"][i] == pytest.approx(s, rel=1e-9)
        assert found["entries"][i] == pytest.approx([whole[0, 0], whole[1, 1]], rel=1e-9)


def test_the_gradient_norm_is_the_norm_of_finite_differences(measured):
    _run, target, factors, found = measured

    def loss(one):
        residual = np.linalg.multi_dot(one) - target
        residual[2, 1] = 0
        return 0.5 * (residual**2).sum()

    squares = 0.0
    for j, factor in enumerate(factors[0]):
        for index in np.ndindex(factor.shape):
            step = np.zeros_like(factor)
            step[index] = 1e-6
            up, down = ([*factors[0][:j], factor + sign * step, *factors[0][j + 1 :]] for sign in (1, -1))
            squares += ((loss(up) - loss(down)) / 2e-6) ** 2
    assert found["gradient_norm"][0] == pytest.approx(np.sqrt(squares), rel=1e-6)


def test_the_distance_to_the_infimal_rank_is_the_second_singular_value_in_2x2():
    found = matrix_metrics([spec()], np.zeros(1, dtype=np.int64), np.array([[1.0, 0, 0, 2.0] * 3]))
    assert found["distance_to_infimal_rank"][0] == pytest.approx(1.0)


def test_the_log_determinant_does_not_underflow():
    tiny = np.array([[1e-150, 0, 0, -1e-150] * 3])
    found = matrix_metrics([spec(record={"metrics": ["determinant"]})], np.zeros(1, dtype=np.int64), tiny)
    assert found["log_abs_determinant"][0] == pytest.approx(6 * np.log(1e-150))
    assert found["determinant_sign"][0] == -1
    assert found["determinant"][0] == 0  # as a plain number it is lost


def test_the_log_determinant_of_tiny_factors_does_not_underflow():
    """The product of 5 x 5 factors of size 1e-200 is zero in floating point, its determinant is not."""
    rng = np.random.default_rng(0)
    factors = 1e-200 * rng.standard_normal((3, 5, 5))
    run = spec(problem={"kind": "all_but_corner", "dimension": 5}, init={"kind": "identity", "scale": 1.0})
    found = matrix_metrics([run], np.zeros(1, dtype=np.int64), factors.reshape(1, -1))
    signs, logs = np.linalg.slogdet(factors * 1e200)
    assert found["determinant_sign"][0] == signs.prod()
    assert found["log_abs_determinant"][0] == pytest.approx(logs.sum() - 3000 * np.log(10))


@pytest.mark.parametrize("widths", [(4,), (4, 5), (5, 3), (3, 4)])
def test_the_log_determinant_through_wider_layers_does_not_underflow(widths):
    rng = np.random.default_rng(0)
    sizes = [3, *widths, 3]
    factors = [rng.standard_normal((5, *shape)) for shape in itertools.pairwise(sizes)]
    signs, logs = np.linalg.slogdet([np.linalg.multi_dot([factor[i] for factor in factors]) for i in range(5)])
    for scale in (1.0, 1e-200, 1e120):
        tiny = [torch.from_numpy(scale * factor) for factor in factors]
        sign, log_abs = log_determinant(tiny)
        assert sign[:5].tolist() == signs.tolist()  # further rows are padding
        assert log_abs[:5].numpy() == pytest.approx(logs + 3 * len(factors) * np.log(scale), rel=1e-12)


def test_a_narrow_model_has_determinant_zero():
    run = spec(model={"kind": "deep_matrix", "depth": 2, "hidden_width": 1}, init={"kind": "identity", "scale": 1.0})
    found = matrix_metrics([run], np.zeros(1, dtype=np.int64), np.array([[1.0, 2.0, 3.0, 4.0]]))
    assert found["determinant_sign"][0] == 0
    assert found["log_abs_determinant"][0] == -np.inf


def test_points_that_are_not_finite_are_not_numbers_and_spoil_no_other():
    rows = np.array([[np.inf] * 12, [1.0, 0, 0, 1.0] * 3])
    found = matrix_metrics([spec()], np.zeros(2, dtype=np.int64), rows)
    assert np.isnan(found["frobenius_norm"][0])
    assert found["frobenius_norm"][1] == pytest.approx(np.sqrt(2))


def test_the_zero_matrix_has_no_effective_rank_and_no_participation_ratio():
    found = matrix_metrics([spec()], np.zeros(1, dtype=np.int64), np.zeros((1, 12)))
    assert np.isnan(found["effective_rank"][0])
    assert np.isnan(found["participation_ratio"][0])
    assert found["nuclear_norm"][0] == 0


def spectra(scale, generator, points=50, most=6):
    """Singular values of sizes over twelve decades below `scale`, largest first, some of them zero; (points, most)."""
    sizes = scale * 10.0 ** -generator.uniform(0, 12, (points, most))
    sizes[:, 1:] *= generator.random((points, most - 1)) < 0.7
    return -np.sort(-sizes, axis=1)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_the_participation_ratio_lies_between_one_and_the_number_of_nonzero_singular_values(scale):
    values = spectra(scale, np.random.default_rng(2))
    found = participation_ratio(torch.from_numpy(values)).numpy()
    alike = values / values[:, :1]  # the ratio has no unit
    assert found == pytest.approx(alike.sum(axis=1) ** 2 / (alike**2).sum(axis=1), rel=1e-12)
    assert (found >= 1 - 1e-12).all()
    assert (found <= (values > 0).sum(axis=1) * (1 + 1e-12)).all()


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1.7e308])
def test_the_participation_ratio_reaches_its_bounds_where_singular_values_are_equal(scale):
    for nonzero in range(1, 6):
        values = torch.tensor([[scale] * nonzero + [0.0] * (5 - nonzero)], dtype=torch.float64)
        assert participation_ratio(values).item() == pytest.approx(nonzero, rel=1e-12)


def test_the_participation_ratio_of_singular_values_of_all_sizes_is_that_of_the_largest():
    assert participation_ratio(torch.tensor([[1e300, 1.0, 1e-300]], dtype=torch.float64)).item() == 1
