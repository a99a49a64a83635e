"""All metrics of matrix runs: from recorded factors to the columns of `workers.columns`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.metrics import spectrum
from workers.metrics.entries import entry_metrics
from workers.metrics.factors import balancedness_gap, log_determinant
from workers.models.deep_matrix import DeepMatrixGradient, product
from workers.models.layout import split_factors
from workers.objectives import Objective, build_objective
from workers.observations import infimal_rank
from workers.specs import RunSpec
from workers.specs.models import CpTensor

Column = npt.NDArray[Any]
VECTOR_ROWS = 16
"""Points are padded to a multiple of this. torch rounds some functions differently in the vectorised part of a loop and
in its remainder; without a remainder a point's metrics do not depend on how many others are measured with it."""

BLOCK_BYTES = 32 * 2**20
"""Memory for the observations that go with one block of points when gradients are taken."""


@torch.inference_mode()
def matrix_metrics(specs: Sequence[RunSpec], member: npt.NDArray[np.int64], per_point: Column) -> dict[str, Column]:
    """Every metric but the loss, NaN where it does not apply to a point's run or has no finite value.

    Args:
        specs: the batch, sharing a batch key.
        member: (points,), position of each point's run in the batch.
        per_point: (points, entries), the factors of each point.

    Returns:
        Arrays (points,), or (points, width) for `singular_values` and `entries`.
    """
    points = len(member)
    padding = np.zeros(-points % VECTOR_ROWS, dtype=np.int64)
    member, per_point = np.append(member, member[padding]), np.append(per_point, per_point[padding], axis=0)
    factors = split_factors(torch.from_numpy(per_point).to(torch.float64), specs[0].factor_shapes)
    if isinstance(specs[0].model, CpTensor):
        factors = [factors[0], factors[1].mT.contiguous()]  # of order 2: a deep matrix of depth 2
    whole = product(factors)
    finite = torch.stack(
        [whole.isfinite().flatten(1).all(dim=1), *[f.isfinite().flatten(1).all(dim=1) for f in factors]]
    )
    usable = finite.all(dim=0)
    factors = [torch.where(usable[:, None, None], factor, 0.0) for factor in factors]
    whole = torch.where(usable[:, None, None], whole, 0.0)
    columns = {
        **_spectral(specs, member, whole),
        **_of_factors(specs, factors),
        **entry_metrics(specs, member, whole),
        "gradient_norm": _gradient_norms(specs, member, factors),
    }
    nan = torch.tensor(torch.nan, dtype=torch.float64)
    return {
        name: torch.where(usable if column.ndim == 1 else usable[:, None], column, nan).numpy()[:points]
        for name, column in columns.items()
    }


def _spectral(specs: Sequence[RunSpec], member: npt.NDArray[np.int64], whole: Tensor) -> dict[str, Tensor]:
    values = torch.linalg.svdvals(whole)
    infimal = np.array([-1 if (rank := infimal_rank(spec.problem)) is None else rank for spec in specs])
    exponent = np.array([2.0 / len(spec.factor_shapes) for spec in specs])
    return {
        "singular_values": values,
        "frobenius_norm": spectrum.frobenius_norm(values),
        "nuclear_norm": spectrum.nuclear_norm(values),
        "spectral_norm": values[:, 0],
        "effective_rank": spectrum.effective_rank(values),
        "stable_rank": spectrum.stable_rank(values),
        "distance_to_infimal_rank": spectrum.distance_from_rank(values, torch.from_numpy(infimal[member])),
        "schatten_quasi_norm": spectrum.schatten_quasi_norm(values, torch.from_numpy(exponent[member])),
        "numerical_rank": spectrum.numerical_rank(values).to(torch.float64),
    }


def _of_factors(specs: Sequence[RunSpec], factors: Sequence[Tensor]) -> dict[str, Tensor]:
    columns: dict[str, Tensor] = {}
    rows, width = specs[0].problem.shape
    if rows == width:
        sign, log_abs = log_determinant(factors)
        columns |= {"determinant_sign": sign, "log_abs_determinant": log_abs, "determinant": sign * log_abs.exp()}
    if len(factors) > 1:
        columns["balancedness_gap"] = balancedness_gap(factors)
    return columns


def _gradient_norms(specs: Sequence[RunSpec], member: npt.NDArray[np.int64], factors: Sequence[Tensor]) -> Tensor:
    objective = build_objective(specs, torch.float64, torch.device("cpu"))
    block = max(1, BLOCK_BYTES // objective.bytes_per_run // VECTOR_ROWS) * VECTOR_ROWS
    norms = [
        _block_gradient_norms(
            objective.select(torch.from_numpy(member[at : at + block])), [f[at : at + block] for f in factors]
        )
        for at in range(0, len(member), block)
    ]
    return torch.cat(norms)


def _block_gradient_norms(objective: Objective, factors: Sequence[Tensor]) -> Tensor:
    gradient = [torch.empty_like(factor) for factor in factors]
    loss = factors[0].new_empty(len(factors[0]), 1, 1)
    DeepMatrixGradient(objective, gradient).evaluate(factors, [factor.mT for factor in factors], loss)
    return torch.stack([block.square().sum(dim=(1, 2)) for block in gradient]).sum(dim=0).sqrt()
