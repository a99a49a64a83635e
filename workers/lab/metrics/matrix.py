"""All metrics of matrix runs: from recorded factors to the columns of `workers.runs.metrics`."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.metrics import around, balance, entries, factors, held_out, singular_vectors, spectrum
from workers.lab.metrics.entries import Product
from workers.lab.metrics.factors import Chain
from workers.lab.metrics.padding import VECTOR_ROWS, pad_rows
from workers.lab.metrics.products import product_of
from workers.lab.metrics.singular_vectors import Layers
from workers.lab.metrics.spectrum import Spectrum
from workers.lab.metrics.state import Members, State, Wanted
from workers.lab.models.base import maths_of
from workers.lab.models.layout import split_factors
from workers.runs.costs import trained_numbers
from workers.runs.observations import infimal_rank
from workers.runs.spec import RunSpec

Column = npt.NDArray[Any]

LARGE_PRODUCT = 4096
"""Entries from which products are padded to two points (`workers.lab.engines.descent.engine`), their spectra to all."""

MANY_NUMBERS, LARGE_SIDE = 2**16, 16
"""Trained numbers from which points are padded to two as well, if no side of a factor is shorter: a point of these
takes memory and time, and torch multiplies its matrices one by one, whatever stands beside them."""

_FAMILIES = (spectrum, factors, balance, entries, held_out, around, singular_vectors)
NAMES = frozenset(name for family in _FAMILIES for name in family.FORMULAS)
"""Of the metrics that are measured here."""


@torch.inference_mode()
def matrix_metrics(
    specs: Sequence[RunSpec], member: Members, per_point: Column, carried: Column | None = None
) -> dict[str, Column]:
    """The metrics that some run has, NaN where one does not apply to a point's run or has no finite value.

    Args:
        specs: the batch, sharing a batch key.
        member: (points,), position of each point's run in the batch, ascending.
        per_point: (points, trained numbers), the factors of each point.
        carried: (points, 2), sign and ln|.| of determinants that are known better than the factors say, NaN elsewhere.

    Returns:
        Arrays (points,), or (points, width) of vectors.
    """
    points, wanted = len(member), Wanted(specs)
    multiple = 2 if _is_large(specs[0]) else VECTOR_ROWS
    member, per_point = pad_rows(member, multiple), pad_rows(per_point, multiple)
    trained = torch.from_numpy(per_point).to(torch.float64)
    matrices = product_of(specs[0], split_factors(trained, specs[0].factor_shapes))
    usable = matrices.isfinite().flatten(1).all(dim=1) & trained.isfinite().all(dim=1)
    finite = split_factors(torch.where(usable[:, None], trained, 0.0), specs[0].factor_shapes)
    matrices = torch.where(usable[:, None, None], matrices, 0.0)
    known = None if carried is None else torch.from_numpy(pad_rows(carried, multiple))
    maths = maths_of(specs[0].model, specs[0].problem.shape)
    chain = Chain(maths.chain(finite), specs[0].model.is_symmetric, known)
    state = State(specs, member, finite)
    products = Product(specs, member, matrices)
    columns = {
        **wanted.evaluate(spectrum.FORMULAS, _spectrum(specs, member, matrices, known)),
        **wanted.evaluate(factors.FORMULAS, chain),
        **wanted.evaluate(balance.FORMULAS, state),
        **wanted.evaluate(entries.FORMULAS, products),
        **wanted.evaluate(held_out.FORMULAS, products),
        **wanted.evaluate(around.FORMULAS, state),
        **wanted.evaluate(singular_vectors.FORMULAS, Layers(state, matrices, chain.factors)),
    }
    return {name: column[:points] for name, column in wanted.masked(columns, member, usable).items()}


def _is_large(spec: RunSpec) -> bool:
    """Whether the metrics of a point do not depend on how many others there are, except for one alone."""
    sides = min(min(shape) for shape in spec.factor_shapes)
    return prod(spec.problem.shape) >= LARGE_PRODUCT or (trained_numbers(spec) >= MANY_NUMBERS and sides >= LARGE_SIDE)


def _spectrum(specs: Sequence[RunSpec], member: Members, matrices: Tensor, carried: Tensor | None) -> Spectrum:
    values = pad_rows(torch.linalg.svdvals(matrices), VECTOR_ROWS)
    if carried is not None:
        values = spectrum.with_determinant(values, pad_rows(carried[:, 1], VECTOR_ROWS))
    member = pad_rows(member, VECTOR_ROWS)
    infimal = np.array([infimal_rank(spec.problem) or 0 for spec in specs])
    exponent = np.array([2.0 / spec.depth for spec in specs])
    return Spectrum(values, torch.from_numpy(infimal[member]), torch.from_numpy(exponent[member]))
