"""The norm of the loss's gradient in the factors, at recorded points."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.metrics.padding import pad_rows
from workers.lab.models.base import gradient_of
from workers.lab.objectives import Objective, build_objective
from workers.runs.models import Model
from workers.runs.spec import RunSpec

BLOCK_BYTES = 32 * 2**20
"""Memory for the observations that go with one block of points."""


def gradient_norms(specs: Sequence[RunSpec], member: npt.NDArray[np.int64], factors: Sequence[Tensor]) -> Tensor:
    """Euclidean norm of the gradient in all factors, (points,).

    Args:
        specs: the batch.
        member: (points,), position of each point's run in the batch, ascending.
        factors: (points, rows, columns) each.
    """
    objective = build_objective(specs, torch.float64, torch.device("cpu"))
    norms = torch.empty(len(member), dtype=torch.float64)
    for block in _blocks(member, objective.bytes_per_run):
        chosen = objective.select(torch.from_numpy(pad_rows(member[block], 2)))
        found = block_norms(specs[0].model, chosen, [pad_rows(factor[block], 2) for factor in factors])
        norms[block] = found[: block.stop - block.start]
    return norms


def _blocks(member: npt.NDArray[np.int64], bytes_per_run: int) -> Iterator[slice]:
    """Stretches of points whose observations fit in memory side by side."""
    size = max(2, BLOCK_BYTES // bytes_per_run)
    for start in range(0, len(member), size):
        yield slice(start, min(start + size, len(member)))


def block_norms(model: Model, objective: Objective, factors: Sequence[Tensor]) -> Tensor:
    """Norms at points each with its own observations, all at once: objective and factors (points, ...)."""
    gradient = [torch.empty_like(factor) for factor in factors]
    gradient_of(model, objective, gradient).bind(factors, factors[0].new_empty(len(factors[0]), 1, 1))()
    return torch.stack([block.square().sum(dim=(1, 2)) for block in gradient]).sum(dim=0).sqrt()
