"""What a solver of baselines returns, and how it says that it has nothing to return."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.records import Outcome

Array = npt.NDArray[np.float64]

GAP_TOLERANCE = 1e-4
"""Largest relative duality gap of an accepted solution."""

VIOLATION_TOLERANCE = 1e-6
"""Largest violation of a constraint by an accepted solution, as a fraction of the largest observed value."""

STATIONARITY_TOLERANCE = 1e-6
"""Largest relative residual of the conditions of a minimum in an accepted solution."""


class NotSolved(Exception):
    """No solution with a valid certificate; the message is a sentence that says why."""


@dataclass(frozen=True)
class Solution:
    """The matrices that a solver passed, and what is proven of the last.

    Attributes:
        path: of the problem's shape, one for each point; the last is the solution.
        solver: name and version of the solver.
        proofs: numbers by their columns in the summary, those of `proofs` of the model's class.
        outcome: of the run.
    """

    path: Sequence[Array]
    solver: str
    proofs: Mapping[str, float]
    outcome: Outcome = Outcome.CONVERGED

    @property
    def matrix(self) -> Array:
        """The solution."""
        return self.path[-1]

    @property
    def findings(self) -> dict[str, Any]:
        """Columns of the summary."""
        return {"solver": self.solver, **self.proofs}


class Deadline:
    """The time that a solver may take.

    Args:
        seconds: `max_seconds` of the model.
        solver: its name, for the sentence.
    """

    def __init__(self, seconds: float, solver: str) -> None:
        self._seconds, self._solver, self._ends = seconds, solver, time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """Seconds to the end, negative once it has passed."""
        return self._ends - time.monotonic()

    def check(self) -> None:
        """Raise NotSolved once the time is over."""
        if self.seconds_left < 0:
            raise self.passed()

    def passed(self) -> NotSolved:
        """What to raise where a solver says itself that its time is over."""
        return NotSolved(f"The solver {self._solver} gave up after {self._seconds:g} s; raise model.max_seconds.")
