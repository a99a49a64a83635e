"""The norm of the loss's gradient in the factors, at recorded points."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from workers.lab.metrics.padding import pad_rows
from workers.lab.metrics.scaled_gradients import (
    FAR,
    chain_gradient_norm,
    chain_is_lost,
    components_gradient_norm,
    may_be_lost,
)
from workers.lab.metrics.scaling import LEAST_NORM, norm
from workers.lab.metrics.state import Members, State
from workers.lab.models.base import maths_of
from workers.lab.objectives import Objective
from workers.runs.models.base import ModelBase
from workers.runs.spec import RunSpec

BLOCK_BYTES = 32 * 2**20
"""Memory for the observations that go with one block of points."""


def gradient_norms(state: State) -> Tensor:
    """Euclidean norm of the gradient in all factors, (points,)."""
    member, objective = state.member, state.objective
    norms = torch.empty(len(member), dtype=torch.float64)
    for block in blocks_of_points(member, objective.bytes_per_run):
        chosen = objective.select(torch.from_numpy(pad_rows(member[block], 2)))
        padded = block_norms(state.specs[0], chosen, [pad_rows(factor[block], 2) for factor in state.factors])
        norms[block] = padded[: block.stop - block.start]
    return norms


FORMULAS: dict[str, Callable[[State], Tensor]] = {"gradient_norm": gradient_norms}


def blocks_of_points(member: Members, bytes_per_run: int) -> Iterator[slice]:
    """Stretches of points whose observations fit in memory side by side."""
    size = max(2, BLOCK_BYTES // bytes_per_run)
    for start in range(0, len(member), size):
        yield slice(start, min(start + size, len(member)))


def block_norms(spec: RunSpec, objective: Objective, factors: Sequence[Tensor]) -> Tensor:
    """Norms at points each with its own observations, all at once: objective and factors (points, ...)."""
    if not spec.model.has_layers:  # letters of a contraction are viewed together
        factors = [factor.contiguous() for factor in factors]
    gradient = [torch.empty_like(factor) for factor in factors]
    twice_loss = factors[0].new_empty(len(factors[0]), 1, 1)
    maths_of(spec.model, spec.problem.shape).gradient(objective, gradient).bind(factors, twice_loss)()
    squares = [block.square().sum(dim=tuple(range(1, block.ndim))) for block in gradient]
    plain = torch.stack(squares).sum(dim=0).sqrt()
    unsafe = ~((plain >= LEAST_NORM) & plain.isfinite())
    if unsafe.any():
        plain = torch.where(unsafe, norm(torch.cat([block.flatten(1) for block in gradient], dim=1), (1,)), plain)
    return _with_lost_digits(spec.model, objective, factors, twice_loss.flatten(), plain)


def _with_lost_digits(
    model: ModelBase, objective: Objective, factors: Sequence[Tensor], twice_loss: Tensor, plain: Tensor
) -> Tensor:
    """The norms, with those of points whose factors multiply beyond the range of floats computed from scaled ones."""
    infinite = ~plain.isfinite()
    if model.is_chain and len(factors) > 1 and (may_be_lost(factors, twice_loss, FAR) | infinite).any():
        lost = chain_is_lost(objective, factors) | infinite
        return torch.where(lost, chain_gradient_norm(objective, factors), plain)
    if model.sums_components:
        # Columns of a factor differ in size, so that each must be near 1 by itself.
        lost = torch.stack([_column_is_far(factor, FAR / len(factors)) for factor in factors]).any(dim=0)
        lost |= infinite | (may_be_lost(factors, twice_loss, torch.inf) & (twice_loss > 0))
        if lost.any():
            return torch.where(lost, components_gradient_norm(objective, factors), plain)
    return plain


def _column_is_far(factor: Tensor, most: float) -> Tensor:
    """Whether a column that is not zero is of a size above 2^most or below 2^-most, (points,)."""
    sizes = factor.abs().amax(dim=1)
    return ((sizes > 2.0**most) | ((sizes < 2.0**-most) & (sizes > 0))).any(dim=1)
