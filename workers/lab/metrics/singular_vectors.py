"""Singular vectors: of the product beside its gradient and its target, and of neighbouring factors.

All of these take sizes of inner products, so that the signs of singular vectors, which are free, do not matter. Where
singular values are equal the vectors themselves are free, and what depends on them is not a number.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from workers.lab.metrics.gradients import blocks_of_points
from workers.lab.metrics.padding import VECTOR_ROWS, pad_rows
from workers.lab.metrics.scaling import times_power, unit_of
from workers.lab.metrics.state import State
from workers.runs.metrics.applicability import largest_rank
from workers.runs.observations import observe, rank_of

TIED = 1e-13
"""Singular values closer than this fraction of the largest are equal: their vectors have no digit left."""

CACHE_LINE = 8
"""Numbers of float64 in a cache line: rounding in LAPACK depends on where in it a matrix begins."""


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Singular vectors and values of matrices.

    Attributes:
        left: (points, rows, k).
        values: (points, k), in descending order.
        right: (points, columns, k).
    """

    left: Tensor
    values: Tensor
    right: Tensor

    @property
    def is_square(self) -> bool:
        """Whether there is no singular vector beyond these."""
        return self.left.shape[1] == self.right.shape[1]

    def gap_after(self, count: int) -> Tensor:
        """How far singular value `count`, from 1, is above the next, as a fraction of the largest, (points,).

        Behind the last one comes a 0 where the matrix is not square, and nothing where it is: the gap is infinite.
        """
        values = self.values
        if count == values.shape[1]:
            following = torch.full_like(values[:, 0], -torch.inf if self.is_square else 0.0)
        else:
            following = values[:, count]
        return (values[:, count - 1] - following) / values[:, 0]

    def is_tied(self, counts: Sequence[int]) -> Tensor:
        """Whether one of these singular values, from 1, equals the next, or all are zero, (points,)."""
        tied = self.values[:, 0] == 0
        for count in counts:
            tied = tied | ~(self.gap_after(count) > TIED)
        return tied


def decompose(matrices: Tensor) -> Decomposition:
    """The thin singular value decomposition of matrices (points, rows, columns) of any size."""
    unit, exponent = unit_of(matrices, (1, 2))
    if matrices[0].numel() % CACHE_LINE:
        parts = [torch.linalg.svd(one, full_matrices=False) for one in unit]
        left, values, right = (torch.stack(part) for part in zip(*parts, strict=True))
    else:
        left, values, right = torch.linalg.svd(unit, full_matrices=False)
    return Decomposition(left, times_power(values, exponent[:, None]), right.mT)


@dataclass(frozen=True, eq=False)
class Layers:
    """Points with their products and the matrices that are multiplied.

    Attributes:
        state: the points.
        matrices: (points, rows, columns), their products.
        chain: (points, rows, columns) each, first to last, whose product that is.
    """

    state: State
    matrices: Tensor
    chain: Sequence[Tensor]

    @cached_property
    def product(self) -> Decomposition:
        """That of the product."""
        return decompose(self.matrices)

    @cached_property
    def factors(self) -> list[Decomposition]:
        """Those of the trained factors, first to last; of a symmetric product, of its only factor."""
        return [decompose(factor) for factor in self.chain[: len(self.state.factors)]]


def layer_singular_values(layers: Layers) -> Tensor:
    """Singular values of each factor in turn, each largest first, (points, sum of the smaller sides)."""
    return torch.cat([factor.values for factor in layers.factors], dim=1)


def layer_alignment(layers: Layers) -> Tensor:
    """|<v_1(F_j), u_1(F_(j+1))>| of neighbours, (points, factors - 1) (Ji and Telgarsky 2019)."""
    return torch.stack([_alignment(*neighbours) for neighbours in pairwise(layers.factors)], dim=1)


def _alignment(before: Decomposition, after: Decomposition) -> Tensor:
    size = (before.right[:, :, 0] * after.left[:, :, 0]).sum(dim=1).abs().clamp(max=1.0)
    tied = before.is_tied(_first(before)) | after.is_tied(_first(after))
    return torch.where(tied, torch.nan, size)


def _first(factor: Decomposition) -> tuple[int, ...]:
    """The gap that makes the first singular vectors unique; the vectors of a row and of a column are."""
    return (1,) if factor.values.shape[1] > 1 else ()


def singular_vector_alignment(layers: Layers) -> Tensor:
    """Mean and standard deviation of the sizes on the diagonal of U^T G V, then of those off it, (points, 4)."""
    count = largest_rank(layers.state.specs[0])
    product, (signal, exponent) = layers.product, unit_of(_signal(layers), (1, 2))
    sizes = (product.left[:, :, :count].mT @ signal @ product.right[:, :, :count]).abs()
    diagonal = sizes.diagonal(dim1=1, dim2=2)
    beside = sizes.flatten(1)[:, :-1].unflatten(1, (count - 1, count + 1))[:, :, 1:].flatten(1)
    moments = [moment(part) for part in (diagonal, beside) for moment in (_mean, _deviation)]
    tied = product.is_tied(range(1, count + 1))
    return torch.where(tied[:, None], torch.nan, times_power(torch.stack(moments, dim=1), exponent[:, None]))


def _mean(values: Tensor) -> Tensor:
    return values.mean(dim=1)


def _deviation(values: Tensor) -> Tensor:
    """Over n - 1, as the authors' code has it."""
    return values.std(dim=1, correction=1)


def _signal(layers: Layers) -> Tensor:
    """dl/dW, (points, rows, columns)."""
    member, objective = layers.state.member, layers.state.objective
    signal = torch.empty_like(layers.matrices)
    for block in blocks_of_points(member, objective.bytes_per_run):
        chosen = objective.select(torch.from_numpy(pad_rows(member[block], 2)))
        matrices = pad_rows(layers.matrices[block], 2)
        pulled = chosen.pull_back(matrices, matrices.new_empty(len(matrices), 1, 1))
        signal[block] = pulled[: block.stop - block.start]
    return signal


def subspace_angle(layers: Layers) -> Tensor:
    """Largest principal angle between the leading left subspaces of product and target, in radians, (points,)."""
    member, angles = layers.state.member, np.full(len(layers.state.member), np.nan)
    for run in np.unique(member):
        target = observe(layers.state.specs[run].problem).target
        if target is not None and (rank := rank_of(target)) > 0:
            of_run = np.nonzero(member == run)[0]
            rows = torch.from_numpy(pad_rows(of_run, VECTOR_ROWS))
            angle = _angle(layers.product, rows, torch.from_numpy(target), rank)
            angles[of_run] = angle[: len(of_run)].numpy()
    return torch.from_numpy(angles)


def _angle(product: Decomposition, rows: Tensor, target: Tensor, rank: int) -> Tensor:
    """The angle at some points, from its sine and its cosine: either alone loses half of the digits somewhere.

    Args:
        target: (rows, columns), of this rank.
    """
    chosen = Decomposition(product.left[rows], product.values[rows], product.right[rows])
    left, ours = decompose(target[None]).left[:, :, :rank], chosen.left[:, :, :rank]
    shared = left.mT @ ours
    sine, cosine = decompose(ours - left @ shared).values[:, 0], decompose(shared).values[:, -1]
    angle = torch.atan2(sine, cosine) if rank < target.shape[0] else torch.zeros_like(sine)
    is_open = chosen.is_tied([rank]) if rank < target.shape[0] else chosen.values[:, 0] == 0
    return torch.where(is_open, torch.nan, angle)


FORMULAS: dict[str, Callable[[Layers], Tensor]] = {
    "singular_vector_alignment": singular_vector_alignment,
    "subspace_angle": subspace_angle,
    "layer_singular_values": layer_singular_values,
    "layer_alignment": layer_alignment,
}
"""By the names of the catalogue, each (points,), or (points, width) of a vector."""
