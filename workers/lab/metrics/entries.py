"""Metrics of single entries, and of the distance to a known target, of products reshaped to matrices."""

from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.runs.observations import observe, unobserved_index
from workers.runs.shapes import halves_of
from workers.runs.spec import RunSpec

Members = npt.NDArray[np.int64]


def entry_metrics(specs: Sequence[RunSpec], member: Members, whole: Tensor) -> dict[str, Tensor]:
    """`unobserved_entry`, and `reconstruction_error` and `entries` where some run of the batch has them.

    Args:
        specs: the batch.
        member: (points,), position of each point's run in the batch.
        whole: (points, rows, columns), the products; those of tensors reshaped by their halves.
    """
    unobserved = [_place(spec, unobserved_index(spec.problem)) for spec in specs]
    columns = {"unobserved_entry": _pick(whole, unobserved, member)}
    if (error := _reconstruction_error(specs, member, whole)) is not None:
        columns["reconstruction_error"] = error
    width = max(len(spec.record.entries) for spec in specs)
    if width:
        places = [[_place(spec, index) for index in spec.record.entries] for spec in specs]
        padded = [own + [0] * (width - len(own)) for own in places]
        columns["entries"] = torch.stack(
            [_pick(whole, [own[i] for own in padded], member) for i in range(width)], dim=1
        )
    return columns


def _place(spec: RunSpec, index: Sequence[int] | None) -> int:
    """Where an entry stands in row-major order; 0 where there is none to look for."""
    return 0 if index is None else int(np.ravel_multi_index(tuple(index), spec.problem.shape))


def _reconstruction_error(specs: Sequence[RunSpec], member: Members, whole: Tensor) -> Tensor | None:
    targets = [observe(spec.problem).target for spec in specs]
    if all(target is None for target in targets):
        return None
    rows, columns = map(prod, halves_of(specs[0].problem.shape))
    blank = np.full((rows, columns), np.nan)
    target = torch.from_numpy(np.stack([blank if one is None else one.reshape(rows, columns) for one in targets]))
    error = torch.linalg.matrix_norm(whole - target[torch.from_numpy(member)])
    return error / torch.linalg.matrix_norm(target)[torch.from_numpy(member)]


def _pick(whole: Tensor, flat_index: Sequence[int], member: Members) -> Tensor:
    """One entry of each point's product, its place in row-major order given for each run of the batch: (points,)."""
    return whole.flatten(1)[torch.arange(len(whole)), torch.tensor(flat_index)[torch.from_numpy(member)]]
