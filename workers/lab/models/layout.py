"""Memory layout of the factors of a batch: a flat vector of contiguous blocks (runs, ...), one per factor.

A step then updates all factors of all runs by a single operation, and each factor is still a batch of matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(frozen=True)
class FactorLayout:
    """Layout of the factors of `runs` runs.

    Attributes:
        shapes: (rows, columns) of each factor.
        runs: how many runs the batch holds.
    """

    shapes: tuple[tuple[int, ...], ...]
    runs: int

    @property
    def entries_per_run(self) -> int:
        """Trained numbers of one run."""
        return sum(prod(shape) for shape in self.shapes)

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return self.runs * self.entries_per_run

    def blocks(self, flat: Tensor) -> list[Tensor]:
        """Views (..., runs, rows, columns) of a tensor (..., size), one per factor."""
        sizes = [self.runs * prod(shape) for shape in self.shapes]
        parts = flat.split(sizes, dim=-1)
        return [part.unflatten(-1, (self.runs, *shape)) for part, shape in zip(parts, self.shapes, strict=True)]

    def rows(self, flat: Tensor) -> list[Tensor]:
        """Views (runs, 1, numbers) of a vector (size,), one per factor, whatever the factor's order."""
        sizes = [prod(shape) for shape in self.shapes]
        parts = flat.split([self.runs * size for size in sizes])
        return [part.view(self.runs, 1, size) for part, size in zip(parts, sizes, strict=True)]

    def expand(self, values: Tensor) -> Tensor:
        """Spread a value per run (runs,) over the flat vector (size,)."""
        return torch.cat([values.repeat_interleave(prod(shape)) for shape in self.shapes])

    def flatten(self, per_run: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(..., runs, entries_per_run), each run's factors first to last, to (..., size)."""
        lead = per_run.shape[:-2]
        parts = [part.reshape(*lead, -1) for part in np.split(per_run, self._cuts, axis=-1)]
        return np.concatenate(parts, axis=-1)

    def gather(self, flat: Tensor, at: Sequence[Tensor]) -> Tensor:
        """Rows of a tensor (..., size) as (rows, entries_per_run).

        Args:
            flat: history of states, shape (..., size).
            at: an index tensor (rows,) for each leading dimension, then one for the run.
        """
        return torch.cat([block[tuple(at)].flatten(1) for block in self.blocks(flat)], dim=1)

    @property
    def _cuts(self) -> list[int]:
        return list(np.cumsum([prod(shape) for shape in self.shapes])[:-1])


def split_factors(per_run: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """(runs, entries_per_run) to the factors (runs, rows, columns), first to last."""
    parts = per_run.split([prod(shape) for shape in shapes], dim=1)
    return [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]
