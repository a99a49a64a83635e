"""Metrics of single entries, and of the distance to a known target, of products reshaped to matrices."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from workers.lab.metrics.scaling import norm, unit_of
from workers.lab.metrics.state import Members
from workers.runs.observations import observe, unobserved_index
from workers.runs.problems import Observations, ObservedEntries
from workers.runs.shapes import halves_of
from workers.runs.spec import RunSpec


@dataclass(frozen=True, eq=False)
class Product:
    """The products of points.

    Attributes:
        specs: the batch.
        member: (points,), position of each point's run in the batch.
        matrices: (points, rows, columns), those of tensors reshaped by their halves.
    """

    specs: Sequence[RunSpec]
    member: Members
    matrices: Tensor

    def pick(self, positions: Sequence[int]) -> Tensor:
        """One entry of each point's product, its row-major position given for each run of the batch: (points,)."""
        chosen = torch.tensor(positions)[torch.from_numpy(self.member)]
        return self.matrices.flatten(1)[torch.arange(len(self.matrices)), chosen]


def unobserved_entry(product: Product) -> Tensor:
    """The unobserved entry, (points,)."""
    return product.pick([_position(spec, unobserved_index(spec.problem)) for spec in product.specs])


def tracked_entries(product: Product) -> Tensor:
    """The entries that runs track, (points, the most that a run tracks)."""
    width = max(len(spec.record.entries) for spec in product.specs)
    positions = [[_position(spec, index) for index in spec.record.entries] for spec in product.specs]
    padded = [row + [0] * (width - len(row)) for row in positions]
    return torch.stack([product.pick([row[i] for row in padded]) for i in range(width)], dim=1)


def reconstruction_error(product: Product) -> Tensor:
    """Frobenius distance to the target over the norm of the target, (points,); NaN where no target is known."""
    targets = [observe(spec.problem).target for spec in product.specs]
    rows, columns = map(prod, halves_of(product.specs[0].problem.shape))
    blank, member = np.full((rows, columns), np.nan), torch.from_numpy(product.member)
    target = torch.from_numpy(np.stack([blank if known is None else known.reshape(rows, columns) for known in targets]))
    return norm(product.matrices - target[member], (1, 2)) / norm(target, (1, 2))[member]


def margin(product: Product) -> Tensor:
    """min over observations of y f over ||W||_F, (points,), of labels y and their predictions f; NaN of W = 0.

    Points are taken one by one, so that their rounding does not depend on those beside them.
    """
    unit, _ = unit_of(product.matrices, (1, 2))
    norms, least = norm(unit, (1, 2)), torch.full((len(unit),), torch.nan, dtype=torch.float64)
    for run in np.unique(product.member):
        if product.specs[run].loss.takes_labels:
            observed = observe(product.specs[run].problem)
            for point in np.flatnonzero(product.member == run):
                least[point] = _least_margin(observed, unit[point].flatten())
    return least / norms


def _least_margin(observed: Observations, product: Tensor) -> Tensor:
    if isinstance(observed, ObservedEntries):
        mask = torch.from_numpy(observed.mask.ravel())
        return (torch.from_numpy(observed.values.ravel()) * product)[mask].min()
    labels, tensors = torch.from_numpy(observed.outputs), torch.from_numpy(observed.tensors)
    predictions = (tensors[:, None] * product.view(1, labels.shape[1], -1)).sum(dim=2)
    return (labels * predictions).min()


FORMULAS: dict[str, Callable[[Product], Tensor]] = {
    "unobserved_entry": unobserved_entry,
    "reconstruction_error": reconstruction_error,
    "entries": tracked_entries,
    "margin": margin,
}
"""By the names of the catalogue, each (points,), or (points, width) of a vector."""


def _position(spec: RunSpec, index: Sequence[int] | None) -> int:
    """Position of an entry in row-major order; 0 where there is no entry to look for."""
    return 0 if index is None else int(np.ravel_multi_index(tuple(index), spec.problem.shape))
