"""Spectral starts: the leading singular vectors of what the observations show of the target."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from workers.runs.base import Count, Positive, misfit
from workers.runs.factors import Factor
from workers.runs.observations import observe
from workers.runs.problems import ObservedEntries, Problem
from workers.runs.starts.base import LABEL_DIGITS, Size, Startable, StartBase


class Spectral(StartBase, frozen=True):
    """`scale` times the factors of the best approximation of a given rank to the back-projected observations.

    Of observed entries that is Y / p, with p the observed share and zeros elsewhere; of m linear measurements A of y it
    is A^*(y) / m (Tong, Ma, Chi 2021). Its U S V^T is split into U S^(1/L), S^(1/L), ..., S^(1/L) V^T. The rank is the
    largest that the factors hold unless given. A symmetric_matrix takes the positive eigenvalues of the symmetric part.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "spectral", "rank": 1, "scale": 0.5}

    kind: Literal["spectral"]
    rank: Count | None = None
    scale: Positive = 1.0

    def check(self, model: Startable, problem: Problem) -> None:
        """The factors must hold a matrix of that rank."""
        if len(problem.shape) > 2:
            raise misfit(
                ("init", "kind"),
                f"A spectral start is that of a matrix, and this is a tensor of order {len(problem.shape)}; "
                "use a gaussian start.",
            )
        most = model.most_split_rank(problem.shape)
        if most == 0:
            raise misfit(("init", "kind"), f"A {model.kind} has no spectral start; use a gaussian start.")
        if self.rank is not None and self.rank > most:
            raise misfit(
                ("init", "rank"),
                f"The factors hold a matrix of rank {most} at most; lower the rank, or widen the model.",
            )

    def make(self, model: Startable, problem: Problem, seed: int) -> list[Factor]:
        rank = self.rank or model.most_split_rank(problem.shape)
        return [self.scale * factor for factor in model.split(back_projection(problem), rank)]

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        rank = "" if self.rank is None else f" of rank {self.rank}"
        return f"{self.scale:.{digits}g} x spectral{rank}"

    def size(self, model: Startable, shape: Sequence[int]) -> Size:
        """The scale: the sizes of the observations are taken to be ordinary ones."""
        return Size(("init", "scale"), "a scale", self.scale, self.scale)


def back_projection(problem: Problem) -> Factor:
    """Y / p of observed entries, A^*(y) / m of linear measurements, of the problem's shape."""
    observed = observe(problem)
    if isinstance(observed, ObservedEntries):
        return observed.values * (observed.mask.size / observed.mask.sum())
    return (observed.outputs.T @ observed.tensors).reshape(problem.shape) / len(observed.tensors)
