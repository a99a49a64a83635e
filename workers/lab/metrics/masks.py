"""Which values of a column are kept: those that apply to their run, of points whose numbers are all finite."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from workers.runs.metrics import metrics_of
from workers.runs.spec import RunSpec


def mask_columns(
    columns: Mapping[str, Tensor], specs: Sequence[RunSpec], member: npt.NDArray[np.int64], usable: Tensor
) -> dict[str, npt.NDArray[Any]]:
    """Columns as arrays, NaN where they do not apply or a point is not usable.

    Args:
        columns: (rows,) or (rows, width), rows at least as many as points.
        member: (points,), position of each point's run in the batch.
        usable: (points,).
    """
    points = len(member)
    applicable = [metrics_of(spec) for spec in specs]
    masked: dict[str, npt.NDArray[Any]] = {}
    for name, column in columns.items():
        applies = np.array([name in names for names in applicable])[member] & usable.numpy()
        kept = applies if column.ndim == 1 else applies[:, None]
        masked[name] = np.where(kept, column[:points].numpy(), np.nan)
    return masked
