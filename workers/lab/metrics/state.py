"""States: recorded points with their factors, as metrics see them, and which metrics of a batch are wanted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.objectives import Objective, build_objective
from workers.runs.metrics import metrics_of
from workers.runs.spec import RunSpec

Members = npt.NDArray[np.int64]
Subject = TypeVar("Subject")


@dataclass(frozen=True, eq=False)
class State:
    """Points of a batch.

    Attributes:
        specs: the batch, sharing a batch key.
        member: (points,), position of each point's run in the batch, ascending.
        factors: (points, rows, columns) each, first to last, all finite.
        shared_objective: that of the batch, where it was built before.
    """

    specs: Sequence[RunSpec]
    member: Members
    factors: Sequence[Tensor]
    shared_objective: Objective | None = None

    @cached_property
    def objective(self) -> Objective:
        """The observations of the batch, in float64."""
        return self.shared_objective or build_objective(self.specs, torch.float64, torch.device("cpu"))

    def rows_of(self, name: str) -> Members:
        """The points of runs that record a metric, ascending."""
        recorded = np.array([name in metrics_of(spec) for spec in self.specs])
        return np.nonzero(recorded[self.member])[0]

    def spread(self, measured: Tensor, rows: Members) -> Tensor:
        """What was measured at some points (rows, ...) as a column of all, (points, ...); NaN at the others."""
        column = torch.full((len(self.member), *measured.shape[1:]), torch.nan, dtype=torch.float64)
        column[torch.from_numpy(rows)] = measured
        return column


class Wanted:
    """Which metrics the runs of a batch have."""

    def __init__(self, specs: Sequence[RunSpec]) -> None:
        self._of_runs = [frozenset(metrics_of(spec)) for spec in specs]
        self.names = frozenset[str]().union(*self._of_runs)

    def evaluate(
        self,
        formulas: Mapping[str, Callable[[Subject], Tensor]],
        subject: Subject,
        *,
        but: frozenset[str] = frozenset(),
    ) -> dict[str, Tensor]:
        """What a family of formulas says of a subject, as far as some run has it; names in `but` are left out."""
        return {name: formula(subject) for name, formula in formulas.items() if name in self.names - but}

    def masked(self, columns: Mapping[str, Tensor], member: Members, usable: Tensor) -> dict[str, npt.NDArray[Any]]:
        """Columns as arrays, NaN where they do not apply or a point is not usable.

        Args:
            columns: (rows,) or (rows, width), rows at least as many as points.
            member: (points,), position of each point's run in the batch.
            usable: (points,), whether all numbers of a point are finite.
        """
        masked: dict[str, npt.NDArray[Any]] = {}
        for name, column in columns.items():
            applies = np.array([name in names for names in self._of_runs])[member] & usable.numpy()
            kept = applies if column.ndim == 1 else applies[:, None]
            masked[name] = np.where(kept, column[: len(member)].numpy(), np.nan)
        return masked
