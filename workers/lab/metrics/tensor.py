"""All metrics of tensors, vectors and sums of components, from factors to the columns of `workers.runs.metrics`."""

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.metrics import around, balance, components, entries, gains, held_out, matricisations, matrix
from workers.lab.metrics.components import Components
from workers.lab.metrics.entries import Product
from workers.lab.metrics.padding import VECTOR_ROWS, pad_rows
from workers.lab.metrics.products import product_of
from workers.lab.metrics.scaling import norm
from workers.lab.metrics.state import Members, State, Wanted
from workers.lab.models.layout import split_factors
from workers.lab.objectives import Objective, build_objective
from workers.runs.metrics.applicability import of_matrices
from workers.runs.spec import RunSpec

Column = npt.NDArray[Any]

BLOCK_BYTES = 32 * 2**20
"""Memory for the intermediates of one block of points."""


def frobenius_norm(matrices: Tensor) -> Tensor:
    """Root of the sum of squared entries, (points,)."""
    return norm(matrices, (1, 2))


def l1_norm(matrices: Tensor) -> Tensor:
    """Sum of the sizes of the entries, (points,)."""
    return matrices.abs().sum(dim=(1, 2))


FORMULAS: dict[str, Callable[[Tensor], Tensor]] = {"l1_norm": l1_norm, "frobenius_norm": frobenius_norm}
"""By the names of the catalogue, each (points,), of products reshaped by their halves."""


@torch.inference_mode()
def tensor_metrics(specs: Sequence[RunSpec], member: Members, per_point: Column) -> dict[str, Column]:
    """The metrics that some run has, as `matrix_metrics` gives them; order 2 has those of matrices as well.

    Args:
        specs: the batch, sharing a batch key.
        member: (points,), position of each point's run in the batch.
        per_point: (points, trained numbers), the factors of each point.
    """
    wanted, objective = Wanted(specs), build_objective(specs, torch.float64, torch.device("cpu"))
    blocks = [
        _block_metrics(specs, wanted, objective, *block) for block in _blocks(specs[0], objective, member, per_point)
    ]
    columns = {name: np.concatenate([block[name] for block in blocks])[: len(member)] for name in blocks[0]}
    return {**columns, **matrix.matrix_metrics(specs, member, per_point)} if of_matrices(specs[0]) else columns


def _blocks(
    spec: RunSpec, objective: Objective, member: Members, per_point: Column
) -> Iterator[tuple[Members, Tensor]]:
    """Points in blocks of whole vectors (see VECTOR_ROWS), the last block filled up by repeating its last point."""
    member, per_point = pad_rows(member, VECTOR_ROWS), pad_rows(per_point, VECTOR_ROWS)
    intermediate = spec.model.intermediate_numbers(spec.problem.shape)
    point_bytes = objective.bytes_per_run + 8 * (2 * intermediate + 3 * prod(spec.problem.shape))
    block = max(1, BLOCK_BYTES // point_bytes // VECTOR_ROWS) * VECTOR_ROWS
    for start in range(0, len(member), block):
        yield member[start : start + block], torch.from_numpy(per_point[start : start + block]).to(torch.float64)


def _block_metrics(
    specs: Sequence[RunSpec], wanted: Wanted, objective: Objective, member: Members, per_point: Tensor
) -> dict[str, Column]:
    usable = per_point.isfinite().all(dim=1)
    factors = split_factors(torch.where(usable[:, None], per_point, 0.0), specs[0].factor_shapes)
    matrices = product_of(specs[0], factors)
    usable &= matrices.isfinite().flatten(1).all(dim=1)
    finite = torch.where(usable[:, None, None], matrices, 0.0)
    products, state = Product(specs, member, finite), State(specs, member, factors, objective)
    measured_as_matrices = matrix.NAMES if of_matrices(specs[0]) else frozenset[str]()
    axes = specs[0].model.component_axes(specs[0].problem.shape)
    columns = {
        **wanted.evaluate(FORMULAS, finite, but=measured_as_matrices),
        **wanted.evaluate(components.FORMULAS, Components(factors, axes)),
        **wanted.evaluate(around.FORMULAS, state, but=measured_as_matrices),
        **wanted.evaluate(gains.FORMULAS, state),
        **wanted.evaluate(balance.FORMULAS, state, but=measured_as_matrices),
        **wanted.evaluate(entries.FORMULAS, products, but=measured_as_matrices),
        **wanted.evaluate(held_out.FORMULAS, products, but=measured_as_matrices),
        **wanted.evaluate(matricisations.FORMULAS, products),
    }
    return wanted.masked(columns, member, usable)
