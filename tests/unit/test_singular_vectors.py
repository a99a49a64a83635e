"""Alignments, angles and singular values of layers, against numpy and against a published definition."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import subspace_angles

from tests.helpers.slices import EXACT, assert_same, points_of, points_of_run, run_in_slices
from tests.helpers.specs import run_whole, spec
from workers.lab.metrics.matrix import matrix_metrics
from workers.runs.observations import observe
from workers.runs.problems import ObservedEntries

NAMES = ("singular_vector_alignment", "subspace_angle", "layer_singular_values", "layer_alignment")
RECORD = {"metrics": list(NAMES), "every": 5}


def posted(factors, values, unobserved=(), target=None):
    """A run from these factors, on a matrix of which all entries but some are observed."""
    values = np.array(values)
    cells = [index for index in np.ndindex(*values.shape) if index not in unobserved]
    problem = {
        "kind": "completion",
        "shape": list(values.shape),
        "observations": [{"index": list(cell), "value": float(values[cell])} for cell in cells],
        "target": np.array(values if target is None else target).tolist(),
    }
    return spec(
        problem=problem,
        model={"kind": "deep_matrix", "depth": len(factors), "hidden_width": factors[0].shape[1]},
        init={"kind": "explicit", "factors": [factor.tolist() for factor in factors]},
        stop={"max_steps": 0},
        record={"metrics": [name for name in NAMES if len(factors) > 1 or name != "layer_alignment"]},
    )


def measured(factors, values, **parts):
    columns = run_whole(posted(factors, values, **parts)).points.columns
    return {name: columns[name][0] for name in NAMES if name in columns}


def drawn(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def aligned(product, gradient):
    """As the authors' code has it."""
    left, _, right = np.linalg.svd(product, full_matrices=False)
    sizes = np.abs(left.T @ gradient @ right.T)
    on, off = sizes.diagonal(), sizes[~np.eye(len(sizes), dtype=bool)]
    return [on.mean(), on.std(ddof=1), off.mean(), off.std(ddof=1)]


def test_a_worked_example():
    """W = [[2, 1], [.5, .3]], dl/dW = [[0, -.2], [.4, .3]]: computed by hand, to ten digits."""
    product, gradient = np.array([[2.0, 1.0], [0.5, 0.3]]), np.array([[0.0, -0.2], [0.4, 0.3]])
    found = measured([product], product - gradient)
    assert found["layer_singular_values"] == pytest.approx([2.31043863, 0.04328182], abs=1e-8)
    mean, _, beside, _ = found["singular_vector_alignment"]
    assert (mean, beside) == pytest.approx((0.0828475613, 0.3250173559), abs=1e-9)
    assert found["singular_vector_alignment"] == pytest.approx(aligned(product, gradient), abs=1e-14)


@pytest.mark.parametrize("shapes", [[(4, 4), (4, 4)], [(3, 5), (5, 5), (5, 6)], [(6, 2), (2, 5)]])
@pytest.mark.parametrize("scale", [1e-40, 1.0, 1e40])
def test_alignment_with_the_gradient(shapes, scale):
    factors = drawn(*shapes)
    factors[0] = factors[0] * scale
    product = np.linalg.multi_dot(factors)
    values = scale * drawn(product.shape, seed=2)[0]
    found = measured(factors, values, unobserved=((0, 0), (1, 1)))["singular_vector_alignment"]
    gradient = product - values
    gradient[0, 0] = gradient[1, 1] = 0
    rank = min(factors[0].shape[1], *product.shape)
    left, _, right = np.linalg.svd(product)
    sizes = np.abs(left[:, :rank].T @ gradient @ right[:rank].T)
    on, off = sizes.diagonal(), sizes[~np.eye(rank, dtype=bool)]
    assert found == pytest.approx([on.mean(), on.std(ddof=1), off.mean(), off.std(ddof=1)], rel=1e-9)


def test_layers_and_their_neighbours():
    factors = drawn((3, 4), (4, 4), (4, 5))
    found = measured(factors, np.ones((3, 5)))
    parts = [np.linalg.svd(factor) for factor in factors]
    expected = np.concatenate([values for _, values, _ in parts])
    np.testing.assert_allclose(found["layer_singular_values"], expected, rtol=1e-13)
    neighbours = [abs(before[2][0] @ after[0][:, 0]) for before, after in pairwise(parts)]
    np.testing.assert_allclose(found["layer_alignment"], neighbours, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (6, 4)])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("off", [1e-12, 1e-6, 1.0])
def test_the_angle_to_the_target(shape, rank, off):
    left, right, noise = drawn((shape[0], rank), (rank, shape[1]), shape)
    target = left @ right
    product = target + off * noise
    ours, theirs = np.linalg.svd(product)[0][:, :rank], np.linalg.svd(target)[0][:, :rank]
    found = measured([product], target)["subspace_angle"]
    assert found == pytest.approx(subspace_angles(ours, theirs).max(), rel=1e-3 if off == 1e-12 else 1e-8)


def test_a_right_angle_and_none():
    target = np.diag([1.0, 0.0, 0.0])
    assert measured([np.diag([1.0, 2.0, 0.5])], target)["subspace_angle"] == pytest.approx(np.pi / 2, abs=1e-15)
    assert measured([np.diag([2.0, 1.0, 0.5])], target)["subspace_angle"] == 0
    assert measured([np.diag([2.0, 1.0, 0.5])], np.eye(3))["subspace_angle"] == 0


@pytest.mark.parametrize(
    ("product", "undefined"),
    [
        (0.1 * np.eye(3), {"singular_vector_alignment", "subspace_angle"}),
        (np.diag([2.0, 1.0, 0.0]), set()),
        (np.diag([2.0, 0.0, 0.0]), {"singular_vector_alignment"}),
        (np.diag([2.0, 1.0, 1.0]), {"singular_vector_alignment"}),
        (np.zeros((3, 3)), {"singular_vector_alignment", "subspace_angle"}),
    ],
    ids=["multiple of the identity", "a zero", "two zeros", "a pair", "zero"],
)
def test_what_is_not_unique_is_not_a_number(product, undefined):
    found = measured([product], np.arange(9.0).reshape(3, 3), target=np.diag([1.0, 0.0, 0.0]))
    assert {name for name, value in found.items() if np.isnan(value).any()} == undefined
    assert all(np.isnan(found[name]).all() for name in undefined)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (0.1 * np.eye(3), [np.nan, np.nan]),
        (np.diag([2.0, 0.0, 0.0]), [1.0, 1.0]),
        (np.diag([1.0, 1.0, 2.0]), [0.0, 0.0]),
        (np.zeros((3, 3)), [np.nan, np.nan]),
    ],
)
def test_a_layer_beside_two_others(factor, expected):
    beside = np.diag([3.0, 2.0, 1.0])
    found = measured([beside, factor, beside], np.ones((3, 3)))["layer_alignment"]
    np.testing.assert_allclose(found, expected, atol=1e-15)


@given(st.integers(0, 2**32), st.lists(st.sampled_from([-1.0, 1.0]), min_size=4, max_size=4))
def test_signs_do_not_matter(seed, signs):
    """A change of basis inside the network, by signs or any rotation, moves no layer against the next."""
    factors = drawn((4, 4), (4, 4), (4, 4), seed=seed)
    rotation = np.linalg.qr(factors[2])[0] * signs
    turned = [factors[0] @ rotation, rotation.T @ factors[1]]
    rows = np.array([np.concatenate([factor.ravel() for factor in pair]) for pair in (factors[:2], turned)])
    run = posted(factors[:2], np.ones((4, 4)))
    found = matrix_metrics([run], np.zeros(2, dtype=np.int64), rows)
    for name in NAMES:
        np.testing.assert_allclose(found[name][0], found[name][1], rtol=1e-6, atol=1e-9, err_msg=name)


def test_only_runs_that_ask_have_them():
    asking = spec(problem={"kind": "all_but_corner", "dimension": 3}, record={**RECORD, "metrics": ["layer_alignment"]})
    quiet = spec(problem={"kind": "all_but_corner", "dimension": 3}, record={"every": 5})
    points = run_whole(asking, quiet).points
    assert set(NAMES) & set(points.columns) == {"layer_alignment"}
    assert np.isfinite(points.columns["layer_alignment"][points.member == 0]).all()
    assert np.isnan(points.columns["layer_alignment"][points.member == 1]).all()


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("kind", ["low_rank_completion", "low_rank_sensing"])
def test_split_equals_unsplit_and_alone_equals_batched_to_the_bit(size, kind):
    amount = {"observed": 8} if kind == "low_rank_completion" else {"measurements": 7}
    problem = {"kind": kind, "shape": [size, size + 1], "rank": 2, "norm": 3.0, **amount}
    record = {"metrics": [*NAMES, "hessian_eigenvalues", "hessian_trace"], "every": 7}
    parts = {"model": {"kind": "deep_matrix", "depth": 2}, "init": {"kind": "gaussian", "std": 0.3}}
    specs = [
        spec(problem=problem, record=record, seed=seed, stop={"max_steps": 30 + seed}, **parts) for seed in range(3)
    ]
    whole = run_whole(*specs)
    assert_same(run_in_slices(specs, [11, 3, 50])[1], points_of(whole), **EXACT)
    for run, alone in enumerate(specs):
        assert_same(points_of(run_whole(alone)), points_of_run(whole, run), **EXACT)


def test_the_signal_is_that_of_the_loss():
    run = spec(problem={"kind": "low_rank_sensing", "shape": [3, 3], "rank": 1, "measurements": 5}, record=RECORD)
    factors = drawn((3, 3), (3, 3), (3, 3))
    row = np.concatenate([factor.ravel() for factor in factors])[None]
    found = matrix_metrics([run], np.zeros(1, dtype=np.int64), row)["singular_vector_alignment"][0]
    observed = observe(run.problem)
    assert not isinstance(observed, ObservedEntries)
    whole = torch.from_numpy(np.linalg.multi_dot(factors)).requires_grad_()
    residual = torch.from_numpy(observed.tensors) @ whole.flatten() - torch.from_numpy(observed.values)
    (residual.square().sum() / 2).backward()
    assert found == pytest.approx(aligned(whole.detach().numpy(), whole.grad.numpy()), rel=1e-9)
