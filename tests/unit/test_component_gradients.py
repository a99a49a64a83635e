"""Gradients of CP factorisations against autograd, for every order, unequal dimensions, few observations and many."""

from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.specs import spec
from workers.lab.models.base import build_model
from workers.lab.models.cp_tensor import ComponentGradient, khatri_rao, product
from workers.lab.models.sparse_components import SparseComponentGradient
from workers.lab.objectives import build_objective
from workers.lab.sparse_objectives import SparseEntryObjective

SHAPES = st.integers(2, 6).flatmap(lambda order: st.tuples(*[st.integers(1, 4)] * order))
LETTERS = "abcdef"


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


def batch(kind, shape, loss, rank, rng, runs=3):
    return [
        spec(
            problem=problem(kind, shape, rng),
            model={"kind": "cp_tensor", "rank": rank},
            init={"kind": "gaussian", "std": 1.0},
            loss=loss,
        )
        for _ in range(runs)
    ]


def written_down_loss(run, factors):
    """The loss of one run, straight from its definition: one sum over all modes at once."""
    modes = LETTERS[: len(factors)]
    whole = torch.einsum(",".join(f"{mode}r" for mode in modes) + f"->{modes}", *factors)
    if run.problem.kind == "completion":
        residuals = [whole[tuple(o.index)] - o.value for o in run.problem.observations]
    else:
        residuals = [
            (torch.tensor(m.tensor, dtype=torch.float64) * whole).sum() - m.value for m in run.problem.measurements
        ]
    squares = torch.stack(residuals).square()
    return squares.mean() if run.loss == "mse" else 0.5 * squares.sum()


def assert_equals_autograd(runs, rank, build):
    shape = runs[0].problem.shape
    generator = torch.Generator().manual_seed(0)
    factors = [
        torch.randn(len(runs), size, rank, generator=generator, dtype=torch.float64, requires_grad=True)
        for size in shape
    ]
    losses = [written_down_loss(run, [factor[i] for factor in factors]) for i, run in enumerate(runs)]
    expected = torch.autograd.grad(sum(losses), factors)
    gradient, twice_loss = [torch.empty_like(f) for f in factors], torch.empty(len(runs), 1, 1, dtype=torch.float64)
    with torch.no_grad():
        build(runs, gradient).bind(factors, twice_loss)()
    torch.testing.assert_close(twice_loss[:, 0, 0] / 2, torch.stack(losses).detach(), rtol=1e-12, atol=1e-12)
    for ours, autograds in zip(gradient, expected, strict=True):
        torch.testing.assert_close(ours, autograds, rtol=1e-10, atol=1e-11)


def whole(runs, gradient):
    return ComponentGradient(build_objective(runs, torch.float64, torch.device("cpu")), gradient)


def sparse(runs, gradient):
    return SparseComponentGradient(SparseEntryObjective(runs, torch.float64, torch.device("cpu")), gradient)


@pytest.mark.parametrize("loss", ["half_sse", "mse"])
@pytest.mark.parametrize("kind", ["entries", "measurements"])
@given(SHAPES, st.integers(1, 5), st.integers(0, 2**31))
def test_loss_and_gradient_equal_autograd(kind, loss, shape, rank, seed):
    assert_equals_autograd(batch(kind, shape, loss, rank, np.random.default_rng(seed)), rank, whole)


@pytest.mark.parametrize("loss", ["half_sse", "mse"])
@given(SHAPES, st.integers(1, 5), st.integers(0, 2**31))
def test_few_entries_give_the_same_as_all(loss, shape, rank, seed):
    assert_equals_autograd(batch("entries", shape, loss, rank, np.random.default_rng(seed)), rank, sparse)


def test_few_entries_of_a_large_tensor_are_computed_alone():
    def run(observed):
        fields = {"kind": "low_rank_completion", "shape": [8] * 4, "rank": 1, "observed": observed}
        return spec(problem=fields, model={"kind": "cp_tensor", "rank": 2}, init={"kind": "gaussian", "std": 1.0})

    gradient = [torch.empty(1, 8, 2, dtype=torch.float64) for _ in range(4)]
    assert isinstance(build_model([run(100)], gradient), SparseComponentGradient)
    assert isinstance(build_model([run(500)], gradient), ComponentGradient)


@given(SHAPES, st.integers(1, 4))
def test_the_product_is_the_sum_of_outer_products(shape, rank):
    factors = [torch.randn(2, size, rank, dtype=torch.float64) for size in shape]
    modes = LETTERS[: len(shape)]
    expected = torch.einsum(",".join(f"z{mode}r" for mode in modes) + f"->z{modes}", *factors)
    torch.testing.assert_close(product(factors).reshape(2, *shape), expected)
    torch.testing.assert_close(khatri_rao(factors).sum(dim=2).reshape(2, *shape), expected)
