"""All metrics of matrix runs: from recorded factors to the columns of `workers.runs.metrics`."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.metrics import spectrum
from workers.lab.metrics.entries import entry_metrics
from workers.lab.metrics.factors import balancedness_gap, log_determinant, log_determinant_of_square
from workers.lab.metrics.gradients import gradient_norms
from workers.lab.metrics.masks import mask_columns
from workers.lab.metrics.padding import pad_rows
from workers.lab.metrics.sharpness import sharpness_metric
from workers.lab.models.base import chain_of
from workers.lab.models.deep_matrix import product
from workers.lab.models.layout import split_factors
from workers.runs.observations import infimal_rank
from workers.runs.spec import RunSpec

Column = npt.NDArray[Any]
VECTOR_ROWS = 16
"""Points are padded to a multiple of this. torch rounds some functions differently in the vectorised part of a loop and
in its remainder; without a remainder a point's metrics do not depend on how many others are measured with it."""

LARGE_PRODUCT = 4096
"""Entries from which products are padded to two points (`workers.lab.engines.descent.engine`), their spectra to all."""


@torch.inference_mode()
def matrix_metrics(
    specs: Sequence[RunSpec], member: npt.NDArray[np.int64], per_point: Column, carried: Column | None = None
) -> dict[str, Column]:
    """Every metric but the loss, NaN where it does not apply to a point's run or has no finite value.

    Args:
        specs: the batch, sharing a batch key.
        member: (points,), position of each point's run in the batch, ascending.
        per_point: (points, entries), the factors of each point.
        carried: (points, 2), sign and ln|.| of determinants that are known better than the factors say, NaN elsewhere.

    Returns:
        Arrays (points,), or (points, width) for `singular_values` and `entries`.
    """
    points = len(member)
    multiple = VECTOR_ROWS if prod(specs[0].problem.shape) < LARGE_PRODUCT else 2
    member, per_point = pad_rows(member, multiple), pad_rows(per_point, multiple)
    model, trained = specs[0].model, torch.from_numpy(per_point).to(torch.float64)
    whole = product(chain_of(model, split_factors(trained, specs[0].factor_shapes)))
    usable = whole.isfinite().flatten(1).all(dim=1) & trained.isfinite().all(dim=1)
    factors = split_factors(torch.where(usable[:, None], trained, 0.0), specs[0].factor_shapes)
    whole = torch.where(usable[:, None, None], whole, 0.0)
    known = None if carried is None else torch.from_numpy(pad_rows(carried, multiple))
    columns = {
        **_spectral(specs, member, whole, known),
        **_of_factors(specs, factors, known),
        **entry_metrics(specs, member, whole),
        **sharpness_metric(specs, member, factors),
        "gradient_norm": gradient_norms(specs, member, factors),
    }
    return {name: column[:points] for name, column in mask_columns(columns, specs, member, usable).items()}


def _spectral(
    specs: Sequence[RunSpec], member: npt.NDArray[np.int64], whole: Tensor, carried: Tensor | None
) -> dict[str, Tensor]:
    values = pad_rows(torch.linalg.svdvals(whole), VECTOR_ROWS)
    if carried is not None:
        values = spectrum.with_determinant(values, pad_rows(carried[:, 1], VECTOR_ROWS))
    member = pad_rows(member, VECTOR_ROWS)
    infimal = np.array([infimal_rank(spec.problem) or 0 for spec in specs])
    exponent = np.array([2.0 / spec.depth for spec in specs])
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


def _of_factors(specs: Sequence[RunSpec], factors: Sequence[Tensor], carried: Tensor | None) -> dict[str, Tensor]:
    columns: dict[str, Tensor] = {}
    chain = chain_of(specs[0].model, factors)
    rows, width = specs[0].problem.shape
    if rows == width:
        measure = log_determinant_of_square if specs[0].model.is_symmetric else log_determinant
        sign, log_abs = measure([pad_rows(factor, VECTOR_ROWS) for factor in chain])
        if carried is not None:
            known = pad_rows(carried, VECTOR_ROWS)
            sign, log_abs = (
                torch.where(own.isnan(), one, own) for own, one in zip(known.mT, (sign, log_abs), strict=True)
            )
        columns |= {"determinant_sign": sign, "log_abs_determinant": log_abs, "determinant": sign * log_abs.exp()}
    if len(factors) > 1:
        columns["balancedness_gap"] = balancedness_gap(chain)
    return columns
