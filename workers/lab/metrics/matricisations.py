"""Matricisations of a tensor: mode n against all others, and the modes on one side of a cut against those beyond."""

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor

from workers.lab.metrics import spectrum
from workers.lab.metrics.entries import Product

MOST_CUT_VALUES = 10
"""Singular values of a cut that are recorded."""


def matricised(tensors: Tensor, mode: int) -> Tensor:
    """(points, all dimensions) to (points, dimension of the mode, product of the others)."""
    return tensors.movedim(mode + 1, 1).flatten(2)


def of_every_mode(product: Product, measure: Callable[[Tensor], Tensor]) -> Tensor:
    """What `spectrum` defines, of every matricisation: (points, order)."""
    matrices = product.matrices
    tensors = matrices.reshape(len(matrices), *product.specs[0].problem.shape)
    values = [torch.linalg.svdvals(matricised(tensors, mode)) for mode in range(tensors.ndim - 1)]
    return torch.stack([measure(each).to(matrices.dtype) for each in values], dim=1)


def of_every_cut(product: Product) -> list[Tensor]:
    """Singular values of the matricisation of each cut of the model, (points, k) each, largest first."""
    spec, points = product.specs[0], len(product.matrices)
    shape = spec.problem.shape
    tensors = product.matrices.reshape(points, *shape)
    values: list[Tensor] = []
    for begin, end in spec.model.cuts(shape):
        moved = tensors.movedim(tuple(range(begin + 1, end + 1)), tuple(range(1, end - begin + 1)))
        values.append(torch.linalg.svdvals(moved.reshape(points, prod(shape[begin:end]), -1)))
    return values


def cut_ranks(product: Product) -> Tensor:
    """Numerical ranks, (points, cuts)."""
    ranks = [spectrum.numerical_rank(values) for values in of_every_cut(product)]
    return torch.stack(ranks, dim=1).to(product.matrices.dtype)


def cut_singular_values(product: Product) -> Tensor:
    """The largest MOST_CUT_VALUES of each cut, cut by cut, (points, all of them)."""
    return torch.cat([values[:, :MOST_CUT_VALUES] for values in of_every_cut(product)], dim=1)


FORMULAS: dict[str, Callable[[Product], Tensor]] = {
    "matricisation_ranks": lambda product: of_every_mode(product, spectrum.numerical_rank),
    "matricisation_effective_ranks": lambda product: of_every_mode(product, spectrum.effective_rank),
    "cut_ranks": cut_ranks,
    "cut_singular_values": cut_singular_values,
}
"""By the names of the catalogue, each (points, width)."""
