"""Norms and products whose intermediates stay in the range of floats, whatever the size of the numbers.

Numbers are scaled by powers of two, which changes no digit, and only where an intermediate leaves the range: elsewhere
results are those of the plain formula, bit for bit. Each matrix is scaled by itself, so that a point's results do not
depend on the points beside it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.lab.models.cp_tensor import khatri_rao, split
from workers.lab.models.cp_tensor import product as plain_sum_of_components
from workers.runs.scaling import LEAST_NORM, LEAST_PRODUCT

_BIAS, _FRACTION_BITS, _MOST_EXPONENT = 1023, 52, 1022
_FURTHEST = 3 * _MOST_EXPONENT

Dimensions = tuple[int, ...]


def norm(values: Tensor, dim: Dimensions) -> Tensor:
    """Root of the sum of squares over some dimensions, 0 of zeros alone."""
    plain = torch.linalg.vector_norm(values, dim=dim)
    lost = ~((plain >= LEAST_NORM) & plain.isfinite())
    if not lost.any():
        return plain
    unit, exponent = unit_of(values, dim)
    return torch.where(lost, times_power(torch.linalg.vector_norm(unit, dim=dim), exponent), plain)


def unit_of(values: Tensor, dim: Dimensions) -> tuple[Tensor, Tensor]:
    """Values over a power of two that makes the largest size 1/2 to 1, and its exponent, one over all of `dim`.

    The exponent is 0 where all are zero, or some is not finite.
    """
    exponent = _exponent_of(values.abs().amax(dim=dim, keepdim=True))
    return times_power(values, -exponent), exponent.squeeze(dim)


def times_power(values: Tensor, exponent: Tensor) -> Tensor:
    """Values times 2 to an exponent, which may lie beyond those of floats."""
    left = exponent.clamp(-_FURTHEST, _FURTHEST)
    for _ in range(3):  # each factor is a float that has all its digits
        part = left.clamp(-_MOST_EXPONENT, _MOST_EXPONENT)
        values, left = values * _power_of_two(part), left - part
    return values


def chain_product(chain: Sequence[Tensor]) -> Tensor:
    """The product of matrices (points, rows, columns), first to last."""
    product, lost = chain[0], chain[0].new_zeros(len(chain[0]), dtype=torch.bool)
    for factor in chain[1:]:
        product = torch.bmm(product, factor)
        lost |= is_lost(product)
    if not lost.any():
        return product
    unit, exponent = unit_chain(chain)[-1]
    return torch.where(lost[:, None, None], times_power(unit, exponent[:, None, None]), product)


def unit_chain(chain: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """The products of the first 1, 2, ... matrices (points, rows, columns), each with the exponent of its scale."""
    products = [unit_of(chain[0], (1, 2))]
    for factor in chain[1:]:
        before, exponent = products[-1]
        unit, more = unit_of(factor, (1, 2))
        product, further = unit_of(torch.bmm(before, unit), (1, 2))
        products.append((product, exponent + more + further))
    return products


def is_lost(matrices: Tensor) -> Tensor:
    """Whether the digits of a product may have been lost, (points,): it is too small, or not finite."""
    largest = matrices.abs().amax(dim=(1, 2))
    return ~((largest >= LEAST_PRODUCT) & largest.isfinite())


def vector_product(values: Tensor) -> Tensor:
    """The product over the first dimension."""
    lost = are_lost(values)
    if not lost.any():
        return values.prod(dim=0)
    exponents = _exponent_of(values)
    units = times_power(values, -exponents)
    product, exponent = units[0], exponents[0]
    for unit, more in zip(units[1:], exponents[1:], strict=True):
        product, exponent = product * unit, exponent + more
        further = _exponent_of(product)
        product, exponent = times_power(product, -further), exponent + further
    return torch.where(lost, times_power(product, exponent), values.prod(dim=0))


def are_lost(values: Tensor) -> Tensor:
    """Whether a product over the first dimension leaves the range of floats on the way, without a zero in it."""
    products = values.cumprod(dim=0)
    nonzero = (values != 0).cumprod(dim=0).bool()
    return ((nonzero & (products.abs() < LEAST_PRODUCT)) | ~products.isfinite()).any(dim=0)


def sum_of_components(factors: Sequence[Tensor]) -> Tensor:
    """The sums of outer products as matrices, from factors (points, dimension, rank), one for each mode."""
    plain = plain_sum_of_components(factors)
    lost = components_are_lost(factors)
    if not lost.any():
        return plain
    scaled = [unit_of(factor, (1,)) for factor in factors]
    exponent = torch.stack([exponent for _, exponent in scaled]).sum(dim=0)  # (points, rank)
    is_zero = torch.stack([(unit == 0).all(dim=1) for unit, _ in scaled]).any(dim=0)
    exponent = torch.where(is_zero, -_FURTHEST, exponent)
    largest = exponent.amax(dim=1, keepdim=True)
    first, last = (khatri_rao(half) for half in split([unit for unit, _ in scaled]))
    product = torch.bmm(times_power(first, (exponent - largest)[:, None]), last.mT)
    return torch.where(lost[:, None, None], times_power(product, largest[:, :, None]), plain)


def components_are_lost(factors: Sequence[Tensor]) -> Tensor:
    """Whether a component leaves the range of floats within a half of the modes, (points,)."""
    halves = [torch.stack([factor.abs().amax(dim=1) for factor in half]) for half in split(factors)]
    return torch.stack([are_lost(half).any(dim=1) for half in halves]).any(dim=0)


def _exponent_of(sizes: Tensor) -> Tensor:
    exponent = torch.frexp(sizes).exponent.to(torch.int64)
    return torch.where((sizes != 0) & sizes.isfinite(), exponent, 0)


def _power_of_two(exponent: Tensor) -> Tensor:
    """2 to an exponent from -1022 to 1022, exactly; `torch.ldexp` goes through single precision."""
    return ((exponent + _BIAS) << _FRACTION_BITS).view(torch.float64)
