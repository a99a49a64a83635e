"""All metrics of CP factorisations: from recorded factors to the columns of `workers.runs.metrics`."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.metrics.entries import entry_metrics
from workers.lab.metrics.gradients import block_norms
from workers.lab.metrics.masks import mask_columns
from workers.lab.metrics.matricisations import matricisation_metrics
from workers.lab.metrics.matrix import VECTOR_ROWS, matrix_metrics
from workers.lab.metrics.padding import pad_rows
from workers.lab.metrics.sharpness import sharpness_metric
from workers.lab.models.cp_tensor import product
from workers.lab.models.layout import split_factors
from workers.lab.objectives import Objective, build_objective
from workers.runs.shapes import halves_of
from workers.runs.spec import RunSpec

Column = npt.NDArray[Any]
MOST_COMPONENT_NORMS = 10

BLOCK_BYTES = 32 * 2**20
"""Memory for the intermediates of one block of points."""


@torch.inference_mode()
def tensor_metrics(specs: Sequence[RunSpec], member: npt.NDArray[np.int64], per_point: Column) -> dict[str, Column]:
    """Every metric but the loss, as `matrix_metrics` gives them; a tensor of order 2 has those of a matrix as well.

    Args:
        specs: the batch, sharing a batch key.
        member: (points,), position of each point's run in the batch.
        per_point: (points, entries), the factors of each point.
    """
    objective = build_objective(specs, torch.float64, torch.device("cpu"))
    blocks = [_block_metrics(specs, objective, *block) for block in _blocks(specs[0], objective, member, per_point)]
    points = len(member)
    columns = {name: np.concatenate([block[name] for block in blocks])[:points] for name in blocks[0]}
    is_matrix = len(specs[0].problem.shape) == 2
    return {**columns, **matrix_metrics(specs, member, per_point)} if is_matrix else columns


def component_norms(factors: Sequence[Tensor]) -> Tensor:
    """prod over modes of ||f_r||, the largest MOST_COMPONENT_NORMS first: factors (points, dimension, rank)."""
    norms = torch.stack([torch.linalg.vector_norm(factor, dim=1) for factor in factors]).prod(dim=0)
    return norms.topk(min(MOST_COMPONENT_NORMS, norms.shape[1]), dim=1).values


def _blocks(
    spec: RunSpec, objective: Objective, member: npt.NDArray[np.int64], per_point: Column
) -> Iterator[tuple[npt.NDArray[np.int64], Tensor]]:
    """Points in blocks of whole vectors (see VECTOR_ROWS), the last one filled up with a point already there."""
    member, per_point = pad_rows(member, VECTOR_ROWS), pad_rows(per_point, VECTOR_ROWS)
    halves = sum(prod(half) for half in halves_of(spec.problem.shape))
    point_bytes = objective.bytes_per_run + 8 * (4 * halves * spec.factor_shapes[0][1] + 3 * prod(spec.problem.shape))
    block = max(1, BLOCK_BYTES // point_bytes // VECTOR_ROWS) * VECTOR_ROWS
    for at in range(0, len(member), block):
        yield member[at : at + block], torch.from_numpy(per_point[at : at + block]).to(torch.float64)


def _block_metrics(
    specs: Sequence[RunSpec], objective: Objective, member: npt.NDArray[np.int64], per_point: Tensor
) -> dict[str, Column]:
    usable = per_point.isfinite().all(dim=1)
    factors = split_factors(torch.where(usable[:, None], per_point, 0.0), specs[0].factor_shapes)
    whole = product(factors)
    usable &= whole.isfinite().flatten(1).all(dim=1)
    columns = {
        "frobenius_norm": torch.linalg.matrix_norm(whole),
        "component_norms": component_norms(factors),
        "gradient_norm": block_norms(specs[0].model, objective.select(torch.from_numpy(member)), factors),
        **entry_metrics(specs, member, whole),
        **matricisation_metrics(specs, torch.where(usable[:, None, None], whole, 0.0)),
        **(sharpness_metric(specs, member, factors) if len(specs[0].problem.shape) > 2 else {}),
    }
    return mask_columns(columns, specs, member, usable)
