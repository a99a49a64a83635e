"""Padding of points to whole vectors."""

from typing import Any, TypeVar

import numpy.typing as npt
from torch import Tensor

Rows = TypeVar("Rows", Tensor, npt.NDArray[Any])

VECTOR_ROWS = 16
"""Points are padded to a multiple of this. torch rounds some functions differently in the vectorised part of a loop and
in its remainder; without a remainder a point's metrics do not depend on how many others are measured with it."""


def pad_rows(rows: Rows, multiple: int) -> Rows:
    """Repeat the last row until their number is a multiple of `multiple`; rows (points, ...), at least one."""
    last = len(rows) - 1
    return rows[[min(row, last) for row in range(last + 1 + -len(rows) % multiple)]] if len(rows) % multiple else rows
