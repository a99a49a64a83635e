"""Analytic gradients against autograd: torch.autograd.gradcheck on the loss as written down, then equality with it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.specs import spec
from workers.lab.models.deep_matrix import DeepMatrixGradient, product
from workers.lab.objectives import build_objective


def problem(kind, shape, draw):
    if kind == "entries":
        observed = [[i, j] for i in range(shape[0]) for j in range(shape[1]) if (i + j) % 2 == 0]
        return {
            "kind": "completion",
            "shape": list(shape),
            "observations": [{"index": index, "value": draw()} for index in observed],
        }
    tensors = [[[draw() for _ in range(shape[1])] for _ in range(shape[0])] for _ in range(3)]
    return {
        "kind": "sensing",
        "shape": list(shape),
        "measurements": [{"tensor": tensor, "value": draw()} for tensor in tensors],
    }


def written_down_loss(run, factors):
    """The loss of one run, straight from its definition."""
    whole = factors[0]
    for factor in factors[1:]:
        whole = whole @ factor
    if run.problem.kind == "completion":
        residuals = [whole[tuple(o.index)] - o.value for o in run.problem.observations]
    else:
        residuals = [
            (torch.tensor(m.tensor, dtype=torch.float64) * whole).sum() - m.value for m in run.problem.measurements
        ]
    squares = torch.stack(residuals).square()
    return squares.mean() if run.loss == "mse" else 0.5 * squares.sum()


@pytest.mark.parametrize("loss", ["half_sse", "mse"])
@pytest.mark.parametrize("kind", ["entries", "measurements"])
@given(st.integers(1, 4), st.tuples(st.integers(1, 4), st.integers(1, 4)), st.integers(1, 4), st.integers(0, 2**31))
def test_loss_and_gradient_equal_autograd(kind, loss, depth, shape, width, seed):
    generator = torch.Generator().manual_seed(seed)

    def draw():
        return float(torch.randn((), generator=generator, dtype=torch.float64))

    runs = [
        spec(
            problem=problem(kind, shape, draw),
            model={"kind": "deep_matrix", "depth": depth, "hidden_width": width},
            init={"kind": "identity", "scale": 1.0},
            loss=loss,
        )
        for _ in range(3)
    ]
    shapes = runs[0].factor_shapes
    factors = [torch.randn(3, *s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes]
    losses = [written_down_loss(run, [f[i] for f in factors]) for i, run in enumerate(runs)]
    expected = torch.autograd.grad(sum(losses), factors)

    gradient, twice_loss = [torch.empty_like(f) for f in factors], torch.empty(3, 1, 1, dtype=torch.float64)
    objective = build_objective(runs, torch.float64, torch.device("cpu"))
    with torch.no_grad():
        DeepMatrixGradient(objective, gradient).evaluate(factors, [f.mT for f in factors], twice_loss)
    torch.testing.assert_close(twice_loss[:, 0, 0] / 2, torch.stack(losses).detach(), rtol=1e-12, atol=1e-12)
    for ours, autograds in zip(gradient, expected, strict=True):
        torch.testing.assert_close(ours, autograds, rtol=1e-11, atol=1e-12)


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


def test_the_product_is_first_factor_first():
    factors = [torch.randn(2, 2, 3), torch.randn(2, 3, 4)]
    torch.testing.assert_close(product(factors), factors[0] @ factors[1])
