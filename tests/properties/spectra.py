"""Metrics of singular values in exact arithmetic."""

from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

from tests.helpers import exact
from workers.lab.metrics.spectrum import NUMERICAL_RANK_TOLERANCE


def shares(values):
    total = sum(values)
    return [value / total for value in values if value > 0]


def ratio(above: Any, below: Any) -> Any:
    return above / below if below else exact.NOT_A_NUMBER


OF_SPECTRA: dict[str, Callable[[list[Any], int, Any], Any]] = {
    "singular_values": lambda s, rank, p: s,
    "frobenius_norm": lambda s, rank, p: mp.sqrt(sum(v**2 for v in s)),
    "nuclear_norm": lambda s, rank, p: sum(s),
    "spectral_norm": lambda s, rank, p: s[0],
    "effective_rank": lambda s, rank, p: mp.exp(-sum(q * mp.log(q) for q in shares(s))) if s[0] else exact.NOT_A_NUMBER,
    "stable_rank": lambda s, rank, p: ratio(sum(v**2 for v in s), s[0] ** 2),
    "participation_ratio": lambda s, rank, p: ratio(sum(s) ** 2, sum(v**2 for v in s)),
    "distance_to_infimal_rank": lambda s, rank, p: mp.sqrt(sum(v**2 for v in s[rank:])),
    "schatten_quasi_norm": lambda s, rank, p: sum(v**p for v in s if v > 0) ** (1 / p) if s[0] else exact.NOT_A_NUMBER,
    "numerical_rank": lambda s, rank, p: mpf(sum(v > mpf(NUMERICAL_RANK_TOLERANCE) * s[0] for v in s)),
}
