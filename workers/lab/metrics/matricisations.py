"""Ranks of the matricisations of a tensor: mode n against all others, one number for each mode."""

from collections.abc import Callable

import torch
from torch import Tensor

from workers.lab.metrics import spectrum
from workers.lab.metrics.entries import Product


def matricised(tensors: Tensor, mode: int) -> Tensor:
    """(points, all dimensions) to (points, dimension of the mode, product of the others)."""
    return tensors.movedim(mode + 1, 1).flatten(2)


def of_every_mode(product: Product, measure: Callable[[Tensor], Tensor]) -> Tensor:
    """What `spectrum` defines, of every matricisation: (points, order)."""
    matrices = product.matrices
    tensors = matrices.reshape(len(matrices), *product.specs[0].problem.shape)
    values = [torch.linalg.svdvals(matricised(tensors, mode)) for mode in range(tensors.ndim - 1)]
    return torch.stack([measure(each).to(matrices.dtype) for each in values], dim=1)


FORMULAS: dict[str, Callable[[Product], Tensor]] = {
    "matricisation_ranks": lambda product: of_every_mode(product, spectrum.numerical_rank),
    "matricisation_effective_ranks": lambda product: of_every_mode(product, spectrum.effective_rank),
}
"""By the names of the catalogue, each (points, order)."""
