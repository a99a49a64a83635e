"""Named forms of contractions: their products by other formulas, their mistakes, starts, components and cuts."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.helpers.contractions import BASE, low_rank, spec
from tests.helpers.specs import run_whole
from workers.lab.models.base import build_model, maths_of
from workers.runs.models import MODELS
from workers.runs.models.hierarchical_tensor import free_widths
from workers.runs.models.resolved import ResolvedModel

FLOW = {
    "optimizer": {"kind": "gradient_flow", "rtol": 1e-11, "atol": 1e-11},
    "stop": {"max_time": 2.0},
    "record": {"points_per_decade": 3},
}


def kron(*vectors):
    whole = vectors[0]
    for vector in vectors[1:]:
        whole = np.multiply.outer(whole, vector)
    return whole


def hierarchical(factors, shape):
    """Order 4 and 3 by their definition, tensor by tensor."""
    f1, f2, a, f3, *rest = factors
    left = [sum(a[r, s] * kron(f1[:, r], f2[:, r]) for r in range(a.shape[0])) for s in range(a.shape[1])]
    if len(shape) == 3:
        (o,) = rest
        return sum(o[s] * kron(left[s], f3[:, s]) for s in range(len(o)))
    f4, b, o = rest
    right = [sum(b[t, s] * kron(f3[:, t], f4[:, t]) for t in range(b.shape[0])) for s in range(b.shape[1])]
    return sum(o[s] * kron(left[s], right[s]) for s in range(len(o)))


def tucker(factors, shape):
    whole = factors[0]
    for mode, factor in enumerate(factors[1:]):
        whole = np.moveaxis(np.tensordot(factor, whole, axes=(1, mode)), 0, mode)
    return whole


def tensor_train(factors, shape):
    whole = factors[0]
    for core in factors[1:]:
        whole = np.tensordot(whole, core, axes=1)
    return whole


def symmetric_tensor(factors, shape):
    return sum(kron(*[column] * len(shape)) for column in factors[0].T)


def fourier(u, v):
    """The t-product by its definition: slices of the transforms multiply."""
    return np.fft.ifft(np.einsum("irt,rjt->ijt", np.fft.fft(u), np.fft.fft(v)), axis=2).real


def transposed(u):
    """The t-transpose: every slice transposed, slices 1, 2, ... in the reverse order."""
    return np.concatenate([u[:, :, :1], u[:, :, :0:-1]], axis=2).transpose(1, 0, 2)


def tubal(factors, shape):
    return fourier(*factors)


def symmetric_tubal(factors, shape):
    return fourier(factors[0], transposed(factors[0]))


def difference(factors, shape):
    u, v = factors
    return u @ u.T - v @ v.T


def offset(factors, shape):
    return np.array(BASE) + np.linalg.multi_dot([np.eye(2), *factors])


FORMS = [
    ({"kind": "hierarchical_tensor", "widths": [3, 2]}, (2, 3, 2, 2), hierarchical),
    ({"kind": "hierarchical_tensor", "widths": [3, 2]}, (2, 3, 2), hierarchical),
    ({"kind": "hierarchical_tensor"}, (2, 3, 2), hierarchical),
    ({"kind": "tucker", "ranks": [2, 1, 3]}, (3, 2, 2), tucker),
    ({"kind": "tucker"}, (3, 2, 2, 2), tucker),
    ({"kind": "tensor_train", "ranks": [3, 1]}, (2, 3, 2), tensor_train),
    ({"kind": "tensor_train"}, (2, 3, 2, 2), tensor_train),
    ({"kind": "symmetric_tensor", "rank": 2}, (3, 3, 3), symmetric_tensor),
    ({"kind": "symmetric_tensor"}, (2, 2, 2, 2), symmetric_tensor),
    ({"kind": "tubal", "rank": 2}, (2, 3, 4), tubal),
    ({"kind": "tubal", "symmetric": True, "rank": 5}, (3, 3, 4), symmetric_tubal),
    ({"kind": "difference", "rank": 2}, (3, 3), difference),
    ({"kind": "offset", "base": BASE, "rank": 2}, (2, 3), offset),
    ({"kind": "offset", "base": BASE, "depth": 1}, (2, 3), offset),
    ({"kind": "offset", "base": BASE, "depth": 4, "rank": 1}, (2, 3), offset),
]


def name_of(value):
    return getattr(value, "__name__", None) or str(value)


forms = pytest.mark.parametrize(("model", "shape", "formula"), FORMS, ids=name_of)


def observed(shape):
    """All entries but the first, of other values each."""
    entries = list(np.ndindex(*shape))[1:]
    return {
        "kind": "completion",
        "shape": list(shape),
        "observations": [{"index": list(index), "value": 0.1 * n - 0.4} for n, index in enumerate(entries)],
    }


def test_every_form_is_among_them():
    resolved = {kind for kind, model in MODELS.items() if issubclass(model, ResolvedModel)}
    assert {model["kind"] for model, _, _ in FORMS} | {"contraction", "diagonal"} >= resolved


@forms
def test_the_product_is_that_of_the_formula_and_its_gradient_that_of_autograd(model, shape, formula):
    run = spec(model=model, problem=observed(shape))
    generator = torch.Generator().manual_seed(0)
    factors = [
        torch.randn(3, *factor, generator=generator, dtype=torch.float64, requires_grad=True)
        for factor in run.factor_shapes
    ]
    maths = maths_of(run.model, shape)
    product = maths.product(factors).reshape(3, *shape)
    for number in range(3):
        expected = formula([factor[number].detach().numpy() for factor in factors], shape)
        np.testing.assert_allclose(product[number].detach(), expected, rtol=1e-12, atol=1e-13)
    values = torch.arange(1, product[0].numel(), dtype=torch.float64) * 0.1 - 0.5
    residuals = product.reshape(3, -1)[:, 1:] - values
    losses = residuals.square().sum(dim=1) / 2 if len(shape) == 2 else residuals.square().mean(dim=1)
    expected_gradient = torch.autograd.grad(losses.sum(), factors)
    gradient, twice = [torch.empty_like(factor) for factor in factors], torch.empty(3, 1, 1, dtype=torch.float64)
    with torch.no_grad():
        build_model([run] * 3, gradient).bind(factors, twice)()
    torch.testing.assert_close(twice.flatten() / 2, losses.detach())
    for ours, autograds in zip(gradient, expected_gradient, strict=True):
        torch.testing.assert_close(ours, autograds, rtol=1e-11, atol=1e-12)


@forms
def test_a_flow_conserves_what_is_said_and_the_loss_falls(model, shape, formula):
    columns = run_whole(spec(model=model, problem=observed(shape), **FLOW)).points.columns
    assert columns["loss"][-1] < columns["loss"][0]
    form = MODELS[model["kind"]].model_validate(model).multilinear(shape)
    assert ("conservation_drift" in columns) == bool(form.invariants)
    if form.invariants:
        assert columns["conservation_drift"].max() < 1e-8


@pytest.mark.parametrize(
    ("model", "shape", "needed"),
    [
        ({"kind": "hierarchical_tensor"}, (6, 5, 4, 5), (30, 20)),
        ({"kind": "tucker"}, (12, 3, 2), (6, 3, 2)),
        ({"kind": "tensor_train"}, (3, 4, 5), (3, 5)),
    ],
    ids=str,
)
def test_defaults_constrain_no_tensor(model, shape, needed):
    """Any tensor is a product: for trees by pairs of unit vectors, for the others by singular vectors."""
    form = MODELS[model["kind"]].model_validate(model).multilinear(shape)
    target = np.random.default_rng(0).standard_normal(shape)
    if model["kind"] == "hierarchical_tensor":
        assert free_widths(shape) == needed
        left, right = (np.kron(np.eye(6), np.ones(5)), np.kron(np.ones(6), np.eye(5)))
        unit = {"mode_0": left, "mode_1": right}
        third, fourth = (np.kron(np.eye(4), np.ones(5)), np.kron(np.ones(4), np.eye(5)))
        padded = [np.pad(part, ((0, 0), (0, 10))) for part in (third, fourth)]
        unit |= {"mode_2": padded[0], "mode_3": padded[1], "node_2_3": np.eye(30, 20), "root": np.ones(20)}
        factors = [*unit.values()]
        factors.insert(2, target.reshape(30, 20))
    elif model["kind"] == "tucker":
        assert form.shapes["core"] == needed
        left, values, right = np.linalg.svd(target.reshape(12, 6), full_matrices=False)
        factors = [(values[:, None] * right).reshape(6, 3, 2), left, np.eye(3), np.eye(2)]
    else:
        assert (form.shapes["core_0"][1], form.shapes["core_1"][2]) == needed
        factors = [np.eye(3), target, np.eye(5)]
    np.testing.assert_allclose(form.product(factors), target, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ({"kind": "hierarchical_tensor", "widths": [60, 40]}, [6, 6, 6, 6]),
        ({"kind": "tucker"}, [10, 10, 10]),
        ({"kind": "tensor_train"}, [10, 10, 10]),
        ({"kind": "symmetric_tensor", "rank": 200}, [12, 12, 12]),
        ({"kind": "tubal"}, [20, 20, 5]),
        ({"kind": "tubal", "symmetric": True}, [20, 20, 5]),
        ({"kind": "difference"}, [40, 40]),
        ({"kind": "offset", "base": [[5.0] * 40] * 40, "depth": 3}, [40, 40]),
    ],
    ids=str,
)
def test_the_std_of_the_product_is_that_of_its_entries_off_the_diagonals(model, shape):
    init = {"kind": "gaussian", "std": 0.5, "std_of": "product"}
    squares = []
    for seed in range(20):
        run = spec(model=model, problem=low_rank(shape, 3), init=init, seed=seed)
        factors = [torch.from_numpy(factor)[None] for factor in run.init.make(run.model, run.problem, seed)]
        product = maths_of(run.model, shape).product(factors).reshape(shape).numpy()
        product = product - (5.0 if model["kind"] == "offset" else 0.0)
        differ = np.array([len(set(index[:2] if model["kind"] == "tubal" else index)) for index in np.ndindex(*shape)])
        squares.append((product.flatten()[differ == differ.max()] ** 2).mean())
    assert np.mean(squares) == pytest.approx(0.25, rel=0.15)


def test_a_difference_may_start_from_the_identity_and_a_train_may_not():
    run = spec(model={"kind": "difference"}, problem=low_rank([3, 3], 5), init={"kind": "identity", "scale": 0.1})
    assert run.problem.symmetric
    assert run_whole(run).points.columns["frobenius_norm"][0] == 0
    with pytest.raises(ValidationError, match="are matrices, and this tensor_train has others"):
        spec(model={"kind": "tensor_train"}, problem=low_rank([2, 2, 2], 5), init={"kind": "identity", "scale": 0.1})


def test_a_symmetric_tensor_has_the_norms_of_its_components():
    vectors = [[1.0, 0.0], [2.0, 3.0], [2.0, 0.0]]
    run = spec(
        model={"kind": "symmetric_tensor", "rank": 2},
        problem=low_rank([3, 3, 3], 5),
        init={"kind": "explicit", "factors": {"v": vectors}},
    )
    assert run_whole(run).points.columns["component_norms"][0] == pytest.approx([27.0, 27.0])


def test_a_train_has_the_ranks_of_its_bonds():
    model = {"kind": "tensor_train", "ranks": [1, 2, 1]}
    record = {"every": 20, "metrics": ["cut_ranks"]}
    columns = run_whole(spec(model=model, problem=low_rank([3, 3, 3, 3], 20), record=record)).points.columns
    assert columns["cut_ranks"][-1].tolist() == [1, 2, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer",
    [
        {"kind": "group_rmsprop", "learning_rate": 0.01},
        {"kind": "gradient_descent", "learning_rate": {"kind": "polyak", "most": 0.1}},
        {"kind": "adam", "learning_rate": 0.01, "learning_rate_factors": [1.0, 0.5, 2.0, 1.0, 1.5]},
        {"kind": "group_rmsprop", "learning_rate": 0.01, "learning_rate_factors": [1.0, 0.5, 2.0, 1.0, 1.5]},
        {
            "kind": "gradient_descent",
            "learning_rate": {"kind": "polyak", "most": 0.1},
            "learning_rate_factors": [1.0, 0.5, 2.0, 1.0, 1.5],
        },
    ],
    ids=str,
)
def test_vectors_beside_matrices_are_stepped_alone_as_in_a_batch(optimizer):
    """The root of a tree is a vector: a rate of each run, and of each factor, goes to it as to the others."""
    model = {"kind": "hierarchical_tensor", "widths": [3, 2]}
    runs = [
        spec(model=model, problem=low_rank([2, 3, 2], 9), optimizer=optimizer, stop={"max_steps": 40}, seed=seed)
        for seed in range(3)
    ]
    batch = run_whole(*runs).points
    for number, run in enumerate(runs):
        alone = run_whole(run).points.columns
        assert alone["loss"][-1] < alone["loss"][0]
        np.testing.assert_array_equal(batch.columns["loss"][batch.member == number], alone["loss"])
