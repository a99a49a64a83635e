"""Ranks of the matricisations of a tensor: mode n against all others, one number for each mode."""

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.lab.metrics import spectrum
from workers.runs.spec import RunSpec

NAMES = ("matricisation_ranks", "matricisation_effective_ranks")


def matricisation_metrics(specs: Sequence[RunSpec], whole: Tensor) -> dict[str, Tensor]:
    """NAMES where some run asks for them, each (points, order): what `spectrum` defines, of every matricisation.

    Args:
        specs: the batch.
        whole: (points, rows, columns), products in row-major order.
    """
    if not any(name in spec.record.metrics for name in NAMES for spec in specs):
        return {}
    tensors = whole.reshape(len(whole), *specs[0].problem.shape)
    values = [torch.linalg.svdvals(matricised(tensors, mode)) for mode in range(tensors.ndim - 1)]
    return {
        "matricisation_ranks": torch.stack([spectrum.numerical_rank(one).to(whole.dtype) for one in values], dim=1),
        "matricisation_effective_ranks": torch.stack([spectrum.effective_rank(one) for one in values], dim=1),
    }


def matricised(tensors: Tensor, mode: int) -> Tensor:
    """(points, all dimensions) to (points, dimension of the mode, product of the others)."""
    return tensors.movedim(mode + 1, 1).flatten(2)
