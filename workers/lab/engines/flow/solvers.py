"""Flow solvers: which one takes a stretch of steps, and how a step of it is looked into.

Chosen by measuring, 2 x 2, balanced, to a tolerance of 1e-10, from identity factors 0.1 at depth 2 to a loss of 1e-8
(one busy core): DOP853, then BDF once the flow is stiff, 2.5 s and 2200 steps; LSODA 1.8 s and 3750, but begun anew on
the slow manifold it can stay with its explicit method for good (40 000 steps, 4 x 4 at depth 3); Radau is slower still:
in 8 s it came to a loss of 1e-5.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.integrate import BDF, DOP853

from workers.lab.engines.flow.systems import System, jacobian
from workers.runs.optimizers import GradientFlow
from workers.runs.spec import LATEST_TIME

Array = npt.NDArray[np.float64]

STIFF = 300.0
"""A flow is stiff when its fastest rate times the time in which it changes is above this: an explicit step is stable up
to about 6 over the fastest rate, and a step of BDF goes about a fiftieth of the time of change."""

MOST_STIFF_NUMBERS = 1000
"""Larger systems are taken by the explicit solver: an implicit step solves for all numbers at once."""

EXPLICIT_STEPS, IMPLICIT_STEPS = 64, 512
"""Steps of a stretch. DOP853 begins anew for nothing, BDF takes about thirty steps to get back to its order."""

POWER_STEPS = 12
"""Of the power iteration for the fastest rate; a rate too small by half does no harm."""


class Stretch:
    """Steps from a fresh start; times are counted from it, so that late times do not round short steps away."""

    def __init__(self, system: System, numbers: Array, optimizer: GradientFlow) -> None:
        self._system = system
        stiff = len(numbers) <= MOST_STIFF_NUMBERS and stiffness(system, numbers) > STIFF
        self.steps = IMPLICIT_STEPS if stiff else EXPLICIT_STEPS
        absolute = optimizer.atol * min(1.0, float(np.abs(numbers).max()) or 1.0)
        options: dict[str, Any] = {"rtol": optimizer.rtol, "atol": absolute}
        if stiff:
            options["jac"] = self._jacobian
        solver = BDF if stiff else DOP853
        self._solver: Any = solver(self._velocity, 0.0, numbers, 2 * LATEST_TIME, **options)

    def step(self) -> str | None:
        """Take a step; why it cannot be taken, if so."""
        try:
            return self._solver.step()
        except (ValueError, np.linalg.LinAlgError):  # of a matrix that is not finite
            return "its numbers are no longer finite"

    @property
    def before(self) -> float:
        """Time at which the last step began."""
        return float(self._solver.t_old)

    @property
    def time(self) -> float:
        """Time that the last step reached."""
        return float(self._solver.t)

    @property
    def numbers(self) -> Array:
        """The numbers there."""
        return self._solver.y

    def look(self) -> Callable[[float], Array]:
        """The numbers at any time within the last step, by the solver's own interpolation."""
        between, solver = self._solver.dense_output(), self._solver
        return lambda time: solver.y if time >= solver.t else between(time)

    def _jacobian(self, _: float, numbers: Array) -> Array:
        return jacobian(self._system, numbers)

    def _velocity(self, _: float, numbers: Array) -> Array:
        if not np.isfinite(numbers).all():
            return np.full_like(numbers, np.nan)
        return self._system.velocity(numbers)


def stiffness(system: System, numbers: Array) -> float:
    """The fastest rate of a system, by power iteration, times the time in which its numbers change by their size."""
    velocity = system.velocity(numbers)
    direction, rate = np.cos(np.arange(len(numbers)) + 1.0), 0.0
    size = 1e-6 * (float(np.abs(numbers).max()) or 1.0)
    for _ in range(POWER_STEPS):
        direction = direction * (size / (np.linalg.norm(direction) or 1.0))
        direction = system.velocity(numbers + direction) - velocity
        rate = float(np.linalg.norm(direction)) / size
    fastest = float(np.abs(velocity).max())
    return rate * float(np.abs(numbers).max()) / fastest if fastest > 0 else np.inf
