"""The gain of a product of two vectors: by how much their difference of squares has shrunk, entry by entry."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from workers.lab.metrics.padding import VECTOR_ROWS, pad_rows
from workers.lab.metrics.state import State
from workers.runs.initializers import starting_factors


def gain(state: State) -> Tensor:
    """-ln(|u^2 - v^2| / |u0^2 - v0^2|), (points, entries); NaN where u0 and v0 are equal, or the run records none."""
    rows = state.rows_of("gain")
    padded = pad_rows(rows, VECTOR_ROWS)
    member = state.member[padded]
    starts = {run: starting_factors(state.specs[run]) for run in np.unique(member)}
    u0, v0 = (torch.from_numpy(np.stack([starts[run][number] for run in member])) for number in range(2))
    u, v = (factor[torch.from_numpy(padded)] for factor in state.factors)
    first = _difference_of_squares(u0, v0)
    shrunk = first.log() - _difference_of_squares(u, v).log()
    return state.spread(torch.where(first > 0, shrunk, torch.nan)[: len(rows)], rows)


FORMULAS: dict[str, Callable[[State], Tensor]] = {"gain": gain}
"""By the names of the catalogue, each (points, entries)."""


def _difference_of_squares(u: Tensor, v: Tensor) -> Tensor:
    return (u + v).abs() * (u - v).abs()
