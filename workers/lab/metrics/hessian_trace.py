"""The trace of the Hessian of the loss in all trained numbers, exactly: no Hessian is formed.

With observations o_m of the product, f_m'' the second derivative of the loss in each, and S = dl/dW, the trace is
sum_m f_m'' |grad o_m|^2 + <S, sum_i d^2 W / dF_i^2>. The last sum, over trained numbers, is 0 for a product that is
linear in each of them; of U U^T it is 2 rank tr S. For entries the sum over m has closed forms.
"""

from collections.abc import Callable, Iterable, Sequence
from math import prod

import torch
from torch import Tensor

from workers.lab.metrics.gradients import block_norms, blocks_of_points
from workers.lab.metrics.padding import pad_rows
from workers.lab.metrics.products import product_of
from workers.lab.metrics.scaling import times_power, unit_chain, unit_of
from workers.lab.metrics.state import State
from workers.lab.models.base import maths_of
from workers.lab.models.cp_tensor import ComponentGradient
from workers.lab.objectives import FixedSignal, Objective
from workers.runs.shapes import halves_of
from workers.runs.spec import RunSpec

MEASUREMENT_BYTES = 32 * 2**20
"""Memory for the gradients of measurements that are taken at once."""

NUMBERS_PER_MEASUREMENT = 4
"""Numbers that such a gradient keeps in memory, over those of the measurement and the factors."""

_NOTHING = -(2**40)
"""Exponent of zeros: below that of every number."""

Terms = tuple[Tensor, Tensor]
"""Terms of sums, (points, n), that lack a factor of 2 to an exponent, (points, n)."""


def hessian_trace(state: State) -> Tensor:
    """The trace at the points of the runs that record it, (points,); NaN elsewhere."""
    rows, spec = state.rows_of("hessian_trace"), state.specs[0]
    member = state.member[rows]
    traces = torch.empty(len(rows), dtype=torch.float64)
    for block in blocks_of_points(member, 2 * state.objective.bytes_per_run):
        chosen = state.objective.select(torch.from_numpy(pad_rows(member[block], 2)))
        factors = [pad_rows(factor[torch.from_numpy(rows[block])], 2) for factor in state.factors]
        traces[block] = _traces(spec, chosen, factors)[: block.stop - block.start]
    return state.spread(traces, rows)


FORMULAS: dict[str, Callable[[State], Tensor]] = {"hessian_trace": hessian_trace}


def _traces(spec: RunSpec, objective: Objective, factors: Sequence[Tensor]) -> Tensor:
    """Traces at points each with its own observations: objective and factors (points, ...)."""
    product, model = product_of(spec, factors), spec.model
    curvature = objective.curvature(product)
    if not (spec.problem.observes_entries and model.has_layers):
        terms = [_of_measurements(spec, objective, curvature, factors, product[0].numel())]
    elif model.sums_components:
        terms = [_of_components(objective, curvature, factors)]
    else:
        terms = [_of_square(curvature, factors[0]) if model.is_symmetric else _of_chain(curvature, factors)]
    if (bend := _bend(spec, objective, product, factors)) is not None:
        terms.append((bend[:, None], torch.zeros_like(bend, dtype=torch.int64)[:, None]))
    return _sum(*(torch.cat(parts, dim=1) for parts in zip(*terms, strict=True)))


def _bend(spec: RunSpec, objective: Objective, product: Tensor, factors: Sequence[Tensor]) -> Tensor | None:
    """<S, sum_i d^2 W / dF_i^2>, (points,), with S = dl/dW; None where it is 0."""
    maths = maths_of(spec.model, spec.problem.shape)
    if not maths.bends:
        return None
    signal = objective.pull_back(product, product.new_empty(len(product), 1, 1))
    return maths.bend(signal, factors)


def _of_chain(curvature: Tensor, factors: Sequence[Tensor]) -> Terms:
    """Of W_rc, the gradient in F_j is row r of what is before F_j times column c of what is after it."""
    points, rows, columns = curvature.shape
    before, after = [_ones(points, rows)], [_ones(points, columns)]
    if len(factors) > 1:
        before += [_squared_rows(*part) for part in unit_chain(factors[:-1])]
        after += [_squared_rows(*part) for part in unit_chain([factor.mT for factor in reversed(factors[1:])])]
    pairs = list(zip(before, reversed(after), strict=True))
    terms = [(left[:, None] @ curvature @ right[:, :, None])[:, 0, 0] for (left, _), (right, _) in pairs]
    return torch.stack(terms, dim=1), torch.stack([first + last for (_, first), (_, last) in pairs], dim=1)


def _ones(points: int, size: int) -> Terms:
    return torch.ones(points, size, dtype=torch.float64), torch.zeros(points, dtype=torch.int64)


def _squared_rows(unit: Tensor, exponent: Tensor) -> Terms:
    return unit.square().sum(dim=2), 2 * exponent


def _of_square(curvature: Tensor, factor: Tensor) -> Terms:
    """Of (U U^T)_rc, the gradient is U_c in row r plus U_r in row c."""
    unit, exponent = unit_of(factor, (1, 2))
    per_row = curvature.sum(dim=2) + curvature.sum(dim=1) + 2 * curvature.diagonal(dim1=1, dim2=2)
    return (per_row * unit.square().sum(dim=2)).sum(dim=1, keepdim=True), 2 * exponent[:, None]


def _of_components(objective: Objective, curvature: Tensor, factors: Sequence[Tensor]) -> Terms:
    """With squared numbers in place of the factors, it is the sum of the gradient of <f'', W> in all of them."""
    units, exponents = zip(*(unit_of(factor, (1,)) for factor in factors), strict=True)
    squares = [unit.square() for unit in units]
    gradient = [torch.empty_like(square) for square in squares]
    evaluate = ComponentGradient(FixedSignal(objective, curvature), gradient)
    evaluate.bind(squares, curvature.new_empty(len(curvature), 1, 1))()
    total = torch.stack(exponents).sum(dim=0)
    terms = torch.cat([part.sum(dim=1) for part in gradient], dim=1)
    return terms, torch.cat([2 * (total - exponent) for exponent in exponents], dim=1)


def _of_measurements(
    spec: RunSpec, objective: Objective, curvature: Tensor, factors: Sequence[Tensor], entries: int
) -> Terms:
    """Point by point, f_m'' times the squared norm of the gradient of each measurement m of so many entries."""
    numbers = entries + sum(factor[0].numel() for factor in factors)
    most = max(2, MEASUREMENT_BYTES // (8 * NUMBERS_PER_MEASUREMENT * numbers))
    norms: list[Tensor] = []
    for point in range(len(curvature)):
        entry_by_entry = torch.eye(entries, dtype=torch.float64).split(most)
        measured = entry_by_entry if spec.problem.observes_entries else objective.measurements(point, most)
        norms.append(_norms(spec, objective, measured, [factor[point] for factor in factors]))
    unit, exponent = unit_of(torch.stack(norms), (1,))
    return (curvature.flatten(1) * unit.square()).sum(dim=1, keepdim=True), 2 * exponent[:, None]


def _norms(spec: RunSpec, objective: Objective, measurements: Iterable[Tensor], factors: Sequence[Tensor]) -> Tensor:
    """Norms of the gradients of all measurements at a point, (m,): parts (m, entries), factors without points."""
    rows = prod(halves_of(spec.problem.shape)[0])
    norms: list[Tensor] = []
    for chunk in measurements:
        signal = pad_rows(chunk, 2).unflatten(1, (rows, -1))
        repeated = [factor.expand(len(signal), *factor.shape).contiguous() for factor in factors]
        norms.append(block_norms(spec, FixedSignal(objective, signal), repeated)[: len(chunk)])
    return torch.cat(norms)


def _sum(terms: Tensor, exponents: Tensor) -> Tensor:
    """Sums of terms (points, n) times 2 to exponents (points, n)."""
    unit, further = unit_of(terms[:, :, None], (2,))
    total = torch.where(terms != 0, exponents + further, _NOTHING)
    largest = total.amax(dim=1, keepdim=True)
    return times_power(times_power(unit[:, :, 0], total - largest).sum(dim=1), largest[:, 0])
