"""Analytic gradients against autograd, on drawn problems of all shapes and ranks, other observations in every run."""

from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.losses import loss_by_definition
from tests.helpers.specs import spec
from workers.lab.models.base import build_model, maths_of
from workers.lab.models.cp_tensor import khatri_rao
from workers.lab.models.cp_tensor import product as product_of_components
from workers.lab.models.deep_matrix import DeepMatrixGradient, product
from workers.lab.models.native_components import NativeComponentGradient, NativeSparseGradient
from workers.lab.models.sparse_components import SparseComponentGradient
from workers.lab.objectives import build_objective
from workers.lab.sparse_objectives import SparseEntryObjective

RUNS = 3
SHAPES = st.integers(2, 6).flatmap(lambda order: st.tuples(*[st.integers(1, 4)] * order))
LETTERS = "abcdef"


@st.composite
def deep_matrices(draw):
    model = {"kind": "deep_matrix", "depth": draw(st.integers(1, 4)), "hidden_width": draw(st.integers(1, 4))}
    return model, draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))


@st.composite
def symmetric_matrices(draw):
    return {"kind": "symmetric_matrix", "rank": draw(st.integers(1, 5))}, (draw(st.integers(1, 4)),) * 2


@st.composite
def cp_tensors(draw):
    return {"kind": "cp_tensor", "rank": draw(st.integers(1, 5))}, draw(SHAPES)


def problem(kind, shape, rng):
    size = prod(shape)
    count = int(rng.integers(1, size + 1))
    if kind == "entries":
        chosen = [np.unravel_index(i, shape) for i in rng.permutation(size)[:count]]
        observations = [{"index": [int(i) for i in index], "value": float(rng.standard_normal())} for index in chosen]
        return {"kind": "completion", "shape": list(shape), "observations": observations}
    measurements = [
        {"tensor": rng.standard_normal(shape).tolist(), "value": float(rng.standard_normal())} for _ in range(3)
    ]
    return {"kind": "sensing", "shape": list(shape), "measurements": measurements}


def batch(model, shape, kind, loss, seed):
    rng = np.random.default_rng(seed)
    init = {"kind": "gaussian", "std": 1.0}
    return [spec(problem=problem(kind, shape, rng), model=model, init=init, loss=loss) for _ in range(RUNS)]


def assert_equals_autograd(runs, build):
    generator = torch.Generator().manual_seed(0)
    factors = [
        torch.randn(RUNS, *shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in runs[0].factor_shapes
    ]
    products = maths_of(runs[0].model, runs[0].problem.shape).product(factors).reshape(RUNS, *runs[0].problem.shape)
    losses = torch.stack([loss_by_definition(run, whole) for run, whole in zip(runs, products, strict=True)])
    expected = torch.autograd.grad(losses.sum(), factors)
    gradient, twice_loss = [torch.empty_like(f) for f in factors], torch.empty(RUNS, 1, 1, dtype=torch.float64)
    with torch.no_grad():
        build(runs, gradient).bind(factors, twice_loss)()
    torch.testing.assert_close(twice_loss[:, 0, 0] / 2, losses.detach(), rtol=1e-12, atol=1e-12)
    for ours, autograds in zip(gradient, expected, strict=True):
        torch.testing.assert_close(ours, autograds, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("loss", ["half_sse", "mse"])
@pytest.mark.parametrize("kind", ["entries", "measurements"])
@pytest.mark.parametrize(
    "models", [deep_matrices(), symmetric_matrices(), cp_tensors()], ids=["deep", "symmetric", "cp"]
)
@given(st.data(), st.integers(0, 2**31))
def test_loss_and_gradient_equal_autograd(models, kind, loss, data, seed):
    model, shape = data.draw(models)
    assert_equals_autograd(batch(model, shape, kind, loss, seed), build_model)


def sparse(runs, gradient):
    return SparseComponentGradient(SparseEntryObjective(runs, torch.float64, torch.device("cpu")), gradient)


@pytest.mark.parametrize("loss", ["half_sse", "mse"])
@given(cp_tensors(), st.integers(0, 2**31))
def test_few_entries_give_the_same_as_all(loss, drawn, seed):
    assert_equals_autograd(batch(*drawn, "entries", loss, seed), sparse)


def test_few_entries_of_a_large_tensor_are_computed_alone():
    def run(observed):
        fields = {"kind": "low_rank_completion", "shape": [8] * 4, "rank": 1, "observed": observed}
        return spec(problem=fields, model={"kind": "cp_tensor", "rank": 2}, init={"kind": "gaussian", "std": 1.0})

    gradient = [torch.empty(1, 8, 2, dtype=torch.float64) for _ in range(4)]
    assert isinstance(build_model([run(100)], gradient), NativeSparseGradient)
    assert isinstance(build_model([run(500)], gradient), NativeComponentGradient)


@given(SHAPES, st.integers(1, 4))
def test_the_product_is_the_sum_of_outer_products(shape, rank):
    factors = [torch.randn(2, size, rank, dtype=torch.float64) for size in shape]
    modes = LETTERS[: len(shape)]
    expected = torch.einsum(",".join(f"z{mode}r" for mode in modes) + f"->z{modes}", *factors)
    torch.testing.assert_close(product_of_components(factors).reshape(2, *shape), expected)
    torch.testing.assert_close(khatri_rao(factors).sum(dim=2).reshape(2, *shape), expected)


def test_autograd_s_own_check_agrees():
    """gradcheck: finite differences of the loss against the analytic gradient, wrapped as an autograd function."""
    run = spec(model={"kind": "deep_matrix", "depth": 3, "hidden_width": 3})

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *factors):
            gradient, twice_loss = [torch.empty_like(f) for f in factors], factors[0].new_empty(1, 1, 1)
            objective = build_objective([run], torch.float64, torch.device("cpu"))
            DeepMatrixGradient(objective, gradient).evaluate(factors, [f.mT for f in factors], twice_loss)
            ctx.save_for_backward(*gradient)
            return twice_loss[0, 0, 0] / 2

        @staticmethod
        def backward(ctx, upstream):
            return tuple(upstream * gradient for gradient in ctx.saved_tensors)

    generator = torch.Generator().manual_seed(0)
    factors = [
        torch.randn(1, *s, generator=generator, dtype=torch.float64, requires_grad=True) for s in run.factor_shapes
    ]
    assert torch.autograd.gradcheck(Loss.apply, factors)


def test_a_symmetric_product_is_a_factor_times_its_transpose():
    factor = torch.randn(2, 3, 2)
    model = spec(model={"kind": "symmetric_matrix"}, init={"kind": "identity", "scale": 1.0}).model
    torch.testing.assert_close(
        maths_of(model, (factor.shape[1],) * 2).product([factor]), torch.einsum("zir,zjr->zij", factor, factor)
    )


def test_the_product_is_first_factor_first():
    factors = [torch.randn(2, 2, 3), torch.randn(2, 3, 4)]
    torch.testing.assert_close(product(factors), factors[0] @ factors[1])
