"""Padding of points to whole vectors."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Rows = TypeVar("Rows", Tensor, npt.NDArray[np.int64], npt.NDArray[np.float64])


def pad_rows(rows: Rows, multiple: int) -> Rows:
    """Repeat the last row until their number is a multiple of `multiple`; rows (points, ...), at least one."""
    missing = -len(rows) % multiple
    if not missing:
        return rows
    if isinstance(rows, Tensor):
        return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])])
    return np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)])
