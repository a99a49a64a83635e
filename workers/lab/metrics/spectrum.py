"""Metrics of singular values, which are (points, k) in descending order."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.lab.metrics.scaling import norm, unit_of

NUMERICAL_RANK_TOLERANCE = 1e-6
"""Singular values above this fraction of the largest count towards the numerical rank."""

SMALLEST = torch.finfo(torch.float64).tiny
"""Ratios below have lost digits; those of singular values to a small power still count."""

ROOTS = 8
"""Factors of equal size in which a power that overflows is multiplied to a small singular value."""


def with_determinant(singular_values: Tensor, log_abs_determinant: Tensor) -> Tensor:
    """Singular values whose least one is |det| over the product of the others; unchanged where ln|det| is NaN.

    Args:
        log_abs_determinant: (points,), of square matrices.
    """
    others, least = singular_values[:, :-1], singular_values[:, -1]
    found = (log_abs_determinant - others.log().sum(dim=1)).exp()
    return torch.cat([others, torch.where(log_abs_determinant.isnan(), least, found)[:, None]], dim=1)


def nuclear_norm(singular_values: Tensor) -> Tensor:
    """Sum of singular values."""
    return singular_values.sum(dim=1)


def frobenius_norm(singular_values: Tensor) -> Tensor:
    """Root of the sum of squared singular values."""
    return norm(singular_values, (1,))


def effective_rank(singular_values: Tensor) -> Tensor:
    """exp of the entropy of s_i / sum s, in nats (Roy and Vetterli 2007); NaN for the zero matrix."""
    total = singular_values.sum(dim=1, keepdim=True)
    if total.isinf().any():
        unit, _ = unit_of(singular_values, (1,))
        singular_values = torch.where(total.isinf(), unit, singular_values)
        total = torch.where(total.isinf(), unit.sum(dim=1, keepdim=True), total)
    shares = singular_values / total
    return torch.special.entr(shares).sum(dim=1).exp()


def stable_rank(singular_values: Tensor) -> Tensor:
    """Squared Frobenius over squared spectral norm; NaN for the zero matrix."""
    return (singular_values / singular_values[:, :1]).square().sum(dim=1)


def participation_ratio(singular_values: Tensor) -> Tensor:
    """(sum s)^2 / sum s^2 (Bell and Dean 1970); NaN for the zero matrix."""
    relative = singular_values / singular_values[:, :1]  # no sum of them overflows
    return relative.sum(dim=1).square() / relative.square().sum(dim=1)


def distance_from_rank(singular_values: Tensor, rank: Tensor) -> Tensor:
    """Frobenius distance to the nearest matrix of the given rank, one rank per point (Eckart and Young 1936)."""
    beyond = torch.arange(singular_values.shape[1], device=rank.device) >= rank[:, None]
    return norm(singular_values * beyond, (1,))


def schatten_quasi_norm(singular_values: Tensor, exponent: Tensor) -> Tensor:
    """(sum s_i^p)^(1/p), one exponent p > 0 per point; p = 2 / depth is the one tied to a deep factorisation."""
    largest, power = singular_values[:, :1], exponent[:, None]
    relative = singular_values / largest
    terms = relative.pow(power)
    if (underflown := (relative < SMALLEST) & (singular_values > 0)).any():
        terms = torch.where(underflown, singular_values.pow(power) / largest.pow(power), terms)
    total = terms.sum(dim=1)
    factor, result = total.pow(1 / exponent), largest[:, 0]
    if not (overflown := factor.isinf()).any():
        return result * factor
    part, stepwise = total.pow(1 / (ROOTS * exponent)), result
    for _ in range(ROOTS):
        stepwise = stepwise * part
    return torch.where(overflown, stepwise, result * factor)


def numerical_rank(singular_values: Tensor) -> Tensor:
    """How many singular values exceed NUMERICAL_RANK_TOLERANCE times the largest."""
    return (singular_values > NUMERICAL_RANK_TOLERANCE * singular_values[:, :1]).sum(dim=1)


@dataclass(frozen=True)
class Spectrum:
    """The singular values of products, and what their metrics read beside them.

    Attributes:
        values: (points, k), in descending order.
        infimal_rank: (points,), of each point's problem.
        exponent: (points,), 2 over the depth of each point's model.
    """

    values: Tensor
    infimal_rank: Tensor
    exponent: Tensor


FORMULAS: dict[str, Callable[[Spectrum], Tensor]] = {
    "singular_values": lambda spectrum: spectrum.values,
    "frobenius_norm": lambda spectrum: frobenius_norm(spectrum.values),
    "nuclear_norm": lambda spectrum: nuclear_norm(spectrum.values),
    "spectral_norm": lambda spectrum: spectrum.values[:, 0],
    "effective_rank": lambda spectrum: effective_rank(spectrum.values),
    "stable_rank": lambda spectrum: stable_rank(spectrum.values),
    "participation_ratio": lambda spectrum: participation_ratio(spectrum.values),
    "distance_to_infimal_rank": lambda spectrum: distance_from_rank(spectrum.values, spectrum.infimal_rank),
    "schatten_quasi_norm": lambda spectrum: schatten_quasi_norm(spectrum.values, spectrum.exponent),
    "numerical_rank": lambda spectrum: numerical_rank(spectrum.values).to(torch.float64),
}
"""By the names of the catalogue, each (points,), or (points, k) of a vector."""
