"""Data that every engine works on: a batch of descents, their snapshots, and the clock of a slice."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from workers.records import Budget, Outcome
from workers.results import KeptFactors
from workers.runs.optimizers import TIME_SCALARS
from workers.runs.spec import RunSpec

MOST_SNAPSHOT_BYTES = 64 * 2**20
"""Memory of snapshots at which a slice ends early to hand them over."""

POINT_BYTES = 256
"""Approximate memory of a point's metrics on their way to the database."""


NO_LIMIT = 2**62
"""More points than any slice has."""


@dataclass
class Descents:
    """The present state of a batch of runs; engines advance it in place.

    Attributes:
        specs: share a batch key.
        steps: int64 (runs,).
        states: (runs, slots * entries) in the run's precision: factors, then the optimiser's vectors.
        milestones: int64 (runs, ...), see `workers.runs.milestones`.
        begun: bool (runs,), false until step 0 has been recorded and tested.
        outcomes: None for a run that is not over.
        errors: why a run cannot go on, by its position.
        findings: an engine's additions to a run's summary, by its position.
    """

    specs: Sequence[RunSpec]
    steps: npt.NDArray[np.int64]
    states: npt.NDArray[Any]
    milestones: npt.NDArray[np.int64]
    begun: npt.NDArray[np.bool_]
    outcomes: list[Outcome | None]
    errors: dict[int, str] = field(default_factory=dict[int, str])
    findings: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])

    def unfinished(self) -> npt.NDArray[np.int64]:
        """Positions of the runs that are not over."""
        going = (outcome is None and run not in self.errors for run, outcome in enumerate(self.outcomes))
        return np.flatnonzero(list(going))


def carried_times(states: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The times that end the states (runs, ...) of runs whose states carry them, (runs,)."""
    total, rest = states[:, -TIME_SCALARS:].T.astype(np.float64)
    return total + rest


@dataclass
class Snapshots:
    """Recorded states: run, step, loss and factors of each row.

    `engine_columns` holds columns that only the engine can compute: columns of points by name, and
    `carried_determinant` (rows, 2), sign and ln|.| of determinants that the engine carries more precisely than the
    factors do, NaN elsewhere. `kept` are the factors to be handed over as they are (`workers.runs.snapshots`).
    """

    member: list[npt.NDArray[np.int64]] = field(default_factory=list[npt.NDArray[np.int64]])
    step: list[npt.NDArray[np.int64]] = field(default_factory=list[npt.NDArray[np.int64]])
    loss: list[npt.NDArray[Any]] = field(default_factory=list[npt.NDArray[Any]])
    factors: list[npt.NDArray[Any]] = field(default_factory=list[npt.NDArray[Any]])
    engine_columns: list[Mapping[str, npt.NDArray[Any]]] = field(default_factory=list[Mapping[str, npt.NDArray[Any]]])
    kept: list[KeptFactors] = field(default_factory=list[KeptFactors])
    nbytes: int = 0

    def prices(self, members: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Seconds that the metrics of a point of each run will take, (members,); zero where nobody measures them."""
        return np.zeros(len(members))

    def most_points(self, runs: int) -> int:
        """How many points may be added until the next call of `settle`; at least one for each of the runs."""
        return NO_LIMIT

    def settle(self, clock: "Clock") -> None:
        """Account for the points added since the last call; to be called between chunks of steps."""

    def add(
        self,
        member: npt.NDArray[np.int64],
        step: npt.NDArray[np.int64],
        loss: npt.NDArray[Any],
        factors: npt.NDArray[Any],
        **engine_columns: npt.NDArray[Any],
    ) -> None:
        """Append rows: member, step, loss (rows,), factors (rows, entries), and the engine's columns (rows, ...)."""
        self.member.append(member)
        self.step.append(step)
        self.loss.append(loss)
        self.factors.append(factors)
        self.engine_columns.append(engine_columns)
        self.nbytes += factors.nbytes + len(step) * POINT_BYTES

    def keep(self, member: npt.NDArray[np.int64], step: npt.NDArray[np.int64], factors: npt.NDArray[Any]) -> None:
        """Append factors to be kept: member, step (rows,) and factors (rows, entries)."""
        if len(step):
            self.kept.append(KeptFactors(member, step, factors))
            self.nbytes += factors.nbytes

    def all_kept(self) -> KeptFactors | None:
        """All factors to be kept, None without any."""
        if not self.kept:
            return None
        parts = ((one.member, one.step, one.factors) for one in self.kept)
        return KeptFactors(*map(np.concatenate, zip(*parts, strict=True)))

    @property
    def full(self) -> bool:
        """Whether the slice should end to hand the snapshots over."""
        return self.nbytes >= MOST_SNAPSHOT_BYTES


CHEAP_SECONDS = 0.1
"""Recording that takes less is done without regard to the clock."""


class Clock:
    """The remaining budget of a slice; a slice takes at least one step, however short its time.

    Attributes:
        cores: that the slice may keep busy.
    """

    def __init__(self, budget: Budget) -> None:
        self.cores = budget.cores
        self._deadline = time.monotonic() + budget.seconds
        self._steps_left = budget.steps
        self._reserved = 0.0
        self._moved = False

    @property
    def seconds_left(self) -> float:
        """Wall-clock seconds to the end of the slice, less those reserved; negative once it is over."""
        return self._deadline - self._reserved - time.monotonic()

    @property
    def recording_seconds(self) -> float:
        """Seconds that recording may take from now on."""
        return max(self.seconds_left, CHEAP_SECONDS)

    def reserve(self, seconds: float) -> None:
        """Keep seconds for work that is still to be done when the engine stops, in place of those kept before."""
        self._reserved = seconds

    def steps_allowed(self, wanted: int) -> int:
        """At most `wanted` steps, zero when the slice is over."""
        if self.seconds_left <= 0:
            return 0 if self._moved else 1
        return wanted if self._steps_left is None else min(wanted, self._steps_left)

    def spend(self, steps: int) -> None:
        """Count steps that were taken."""
        self._moved = True
        if self._steps_left is not None:
            self._steps_left -= steps


class EngineUnavailable(Exception):
    """An engine cannot work in this process; the descents are as they were before the launch that failed."""


class Engine(Protocol):
    """Advances descents until all are over or the clock stops them, and returns the snapshots taken on the way.

    They are added to those given, if any are given.
    """

    def __call__(
        self, descents: Descents, clock: Clock, device: str, snapshots: Snapshots | None = None
    ) -> Snapshots: ...
