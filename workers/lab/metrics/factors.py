"""Metrics of the factors themselves, which are (points, rows, columns), first to last."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from workers.lab.metrics.padding import VECTOR_ROWS, pad_rows


def log_determinant(factors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sign and ln|.| of the determinant of a square product, of points padded to whole vectors.

    Square factors are taken one by one, det W = det F1 ... det FL: the determinant of the product itself is lost to
    rounding, then to underflow, long before those of the factors are. Factors that lead through wider layers are taken
    one by one too: of F1 = L Q, with L square and the rows of Q orthonormal, only Q is carried on, det W = det L det (Q
    F2 ... FL).
    """
    dimension = factors[0].shape[1]
    if min(factor.shape[2] for factor in factors) < dimension:
        zero = pad_rows(factors[0].new_zeros(len(factors[0])), VECTOR_ROWS)
        return zero, zero.log()
    parts: list[tuple[Tensor, Tensor]] = []
    carried: Tensor | None = None
    for factor in (pad_rows(factor, VECTOR_ROWS) for factor in factors):  # one by one: all together fill the memory
        block = factor if carried is None else carried @ factor
        square, carried = (block, None) if block.shape[2] == dimension else _wide_parts(block)
        parts.append(torch.linalg.slogdet(square))
    return torch.stack([sign for sign, _ in parts]).prod(dim=0), torch.stack([log for _, log in parts]).sum(dim=0)


def log_determinant_of_square(factors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sign, 1 or 0, and ln of the determinant of U U^T, of points padded to whole vectors; factors are U and U^T.

    With U = L Q as above it is (det L)^2, which no rounding makes negative.
    """
    factor = factors[0]
    rows, columns = factor.shape[1:]
    if rows < columns:
        factor = _wide_parts(pad_rows(factor, VECTOR_ROWS))[0]
    sign, log = log_determinant([factor])
    return sign.square(), 2 * log


def _wide_parts(block: Tensor) -> tuple[Tensor, Tensor]:
    """L (points, rows, rows) and Q (points, rows, columns), the rows of Q orthonormal, with block = L Q."""
    orthonormal, triangle = torch.linalg.qr(block.mT)
    return triangle.mT, orthonormal.mT


@dataclass(frozen=True)
class Chain:
    """Matrices whose product is W, and what their metrics read beside them.

    Attributes:
        factors: (points, rows, columns), first to last.
        is_square_root: whether there are two, each the transpose of the other.
        carried: (points, 2), sign and ln|.| of determinants that an engine knows better than the factors say, NaN
            elsewhere; None where no engine does.
    """

    factors: Sequence[Tensor]
    is_square_root: bool
    carried: Tensor | None

    @cached_property
    def determinant(self) -> tuple[Tensor, Tensor]:
        """Sign and ln|.| of the determinant of W, each (points,)."""
        measure = log_determinant_of_square if self.is_square_root else log_determinant
        measured = measure(self.factors)
        if self.carried is None:
            return measured
        known = pad_rows(self.carried, VECTOR_ROWS)
        sign, log_abs = (
            torch.where(carried.isnan(), computed, carried)
            for carried, computed in zip(known.mT, measured, strict=True)
        )
        return sign, log_abs


FORMULAS: dict[str, Callable[[Chain], Tensor]] = {
    "determinant_sign": lambda chain: chain.determinant[0],
    "log_abs_determinant": lambda chain: chain.determinant[1],
    "determinant": lambda chain: chain.determinant[0] * chain.determinant[1].exp(),
}
"""By the names of the catalogue, each (points,)."""
