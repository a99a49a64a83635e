"""Hessians of the loss in all trained numbers at recorded points, by their products with vectors, in blocks of points.

Products come from differentiating the gradient once more (Pearlmutter 1994), for all points of a block at once.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from workers.lab.metrics.padding import pad_rows
from workers.lab.metrics.state import State
from workers.lab.models.base import maths_of
from workers.lab.models.layout import split_factors
from workers.lab.models.maths import ModelMaths
from workers.lab.objectives import Objective, build_objective
from workers.runs.costs import trained_numbers, working_numbers
from workers.runs.spec import RunSpec

ALIGNED_SIZE = 4
"""Matrices of a multiple of so many rows fill whole cache lines, 16 numbers of 8 bytes."""

BLOCK_BYTES = 64 * 2**20
"""Memory of one block of points."""

CACHED_BYTES = 4 * 2**20
"""Memory of what is computed at once where Hessians are written out: about a core's cache."""

FEWEST_AT_ONCE = 4
"""Columns from which it pays to compute the gradient again at copies of a point: torch takes 5 us for each operation on
tensors that are small, however small they are."""

WHOLE = 0
"""Vectors kept of each point where its Hessian is written out."""


class Hessian:
    """The Hessians of the losses of many points, by their products with vectors.

    Args:
        maths: of the model of all points.
        objective: the observations of each point.
        factors: (points, ...) each.
        at_once: columns of each Hessian that are computed at once where it is written out.
    """

    def __init__(self, maths: ModelMaths, objective: Objective, factors: Sequence[Tensor], at_once: int = 1) -> None:
        self._maths, self._objective, self._at_once = maths, objective, at_once
        self._factors = [factor.detach().requires_grad_() for factor in factors]
        self._shapes = [tuple(factor.shape[1:]) for factor in factors]

    @property
    def shape(self) -> tuple[int, int]:
        """Points, and numbers of each."""
        return len(self._factors[0]), sum(map(prod, self._shapes))

    @cached_property
    def _gradient(self) -> tuple[Tensor, ...]:
        """With its graph, which Hessians whose columns are computed at copies of the points do not need."""
        with torch.enable_grad():
            loss = self._objective.losses(self._maths.product(self._factors)).sum()
            return torch.autograd.grad(loss, self._factors, create_graph=True)

    def times(self, vectors: Tensor) -> Tensor:
        """Products with one vector for each point, (points, numbers)."""
        parts = split_factors(vectors, self._shapes)
        found = torch.autograd.grad(self._gradient, self._factors, parts, retain_graph=True)
        return torch.cat([part.flatten(1) for part in found], dim=1)

    def written_out(self) -> tuple[Tensor, Tensor]:
        """The symmetric matrices (points, numbers, numbers), zeros unless finite; whether they are, (points,)."""
        units = torch.eye(self.shape[1], dtype=torch.float64)
        whole = torch.cat([self._columns(some) for some in units.split(self._at_once)], dim=2)
        finite = whole.isfinite().flatten(1).all(dim=1)
        whole = torch.where(finite[:, None, None], whole, 0.0)
        return (whole + whole.mT) / 2, finite

    def _columns(self, units: Tensor) -> Tensor:
        """Products of each Hessian with the same vectors (n, numbers), at copies of its point: (points, numbers, n)."""
        points, count = len(self._factors[0]), len(units)
        if count == 1:
            return self.times(units.repeat(points, 1))[:, :, None]
        copied = torch.arange(points).repeat_interleave(count)
        factors = [factor.detach()[copied] for factor in self._factors]
        products = Hessian(self._maths, self._objective.select(copied), factors).times(units.repeat(points, 1))
        return products.unflatten(0, (points, count)).mT


def filled_up(whole: Tensor, further: Tensor) -> Tensor:
    """Symmetric matrices filled up to whole vectors: rounding in LAPACK depends on where in memory a matrix begins.

    Args:
        whole: (points, numbers, numbers).
        further: (points,), the eigenvalues that are added.
    """
    numbers = whole.shape[1]
    size = numbers + -numbers % ALIGNED_SIZE
    filled = torch.diag_embed(further[:, None].repeat(1, size))
    filled[:, :numbers, :numbers] = whole
    return filled


def over_hessians(state: State, name: str, multiple: int, kept: int, measure: Callable[[Hessian], Tensor]) -> Tensor:
    """What is measured of the Hessians at the points of the runs that record a metric, (points, ...); NaN elsewhere.

    Args:
        multiple: to which the points of a block are padded.
        kept: vectors that a measurement keeps of each point, or WHOLE.
        measure: takes a block of points.
    """
    rows = state.rows_of(name)
    with torch.inference_mode(False), torch.enable_grad():
        maths = maths_of(state.specs[0].model, state.specs[0].problem.shape)
        member = state.member[rows]
        factors = [factor[torch.from_numpy(rows)] for factor in state.factors]
        objective = build_objective(state.specs, torch.float64, torch.device("cpu"))
        size, measured = _rows_per_block(state.specs[0], multiple, kept), list[Tensor]()
        for start in range(0, len(rows), size):
            block = slice(start, min(start + size, len(rows)))
            chosen = objective.select(torch.from_numpy(pad_rows(member[block], multiple)))
            padded = [pad_rows(factor[block], multiple) for factor in factors]
            at_once = _columns_at_once(state.specs[0], len(padded[0]))
            measured.append(measure(Hessian(maths, chosen, padded, at_once))[: block.stop - block.start])
    return state.spread(torch.cat(measured), rows)


def _rows_per_block(spec: RunSpec, multiple: int, kept: int) -> int:
    numbers = trained_numbers(spec)
    vectors = 3 * numbers if kept == WHOLE else kept + numbers // 64
    per_point = 8 * (numbers * vectors + 4 * working_numbers(spec))
    return max(1, BLOCK_BYTES // per_point // multiple) * multiple


def _columns_at_once(spec: RunSpec, points: int) -> int:
    columns = CACHED_BYTES // (8 * 4 * working_numbers(spec) * points)
    return columns if columns >= FEWEST_AT_ONCE else 1
