"""Flow solvers: the solver of a stretch of steps, and interpolation within its steps.

Chosen by measurement: 2 x 2, balanced, to a tolerance of 1e-10, from identity factors 0.1 at depth 2 to a loss of 1e-8,
on one busy core. DOP853, then BDF once the flow is stiff, took 2.5 s and 2200 steps. LSODA took 1.8 s and 3750 steps,
but restarted on the slow manifold it may never leave its explicit method (40 000 steps, 4 x 4 at depth 3). Radau was
slower: in 8 s it reached a loss of 1e-5.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.engines.flow.systems import System, jacobian
from workers.runs.optimizers import GradientFlow
from workers.runs.scaling import norm
from workers.runs.stops import LATEST_TIME

Array = npt.NDArray[np.float64]

STIFF = 300.0
"""Stiffness (see `stiffness`) above which a flow counts as stiff. An explicit step is stable up to about 6 over the
fastest rate; a step of BDF covers about a fiftieth of the time of change."""

MOST_STIFF_COORDINATES = 1000
"""Largest system of the implicit solver, whose steps solve for all coordinates at once; larger ones are explicit."""

EXPLICIT_STEPS, IMPLICIT_STEPS = 64, 512
"""Steps of a stretch. DOP853 restarts without cost; BDF takes about thirty steps to regain its order."""

POWER_STEPS = 12
"""Steps of the power iteration for the fastest rate; a rate that is too small by half does no harm."""


class Stretch:
    """Steps of a fresh solver; times count from its start, so that late times do not round away short steps."""

    def __init__(self, system: System, coordinates: Array, optimizer: GradientFlow) -> None:
        self._system = system
        stiff = len(coordinates) <= MOST_STIFF_COORDINATES and stiffness(system, coordinates) > STIFF
        self.steps = IMPLICIT_STEPS if stiff else EXPLICIT_STEPS
        absolute = optimizer.atol * min(1.0, float(np.abs(coordinates).max()) or 1.0)
        options: dict[str, Any] = {"rtol": optimizer.rtol, "atol": absolute}
        if stiff:
            options["jac"] = self._jacobian
        self._solver: Any = _method(stiff)(self._velocity, 0.0, coordinates, 2 * LATEST_TIME, **options)

    def step(self) -> str | None:
        """Take a step; return why it cannot be taken, None when it was taken."""
        try:
            return self._solver.step()
        except (ValueError, np.linalg.LinAlgError):  # raised for a matrix that is not finite
            return "its numbers are no longer finite"

    @property
    def before(self) -> float:
        """Time at the beginning of the last step."""
        return float(self._solver.t_old)

    @property
    def time(self) -> float:
        """Time at the end of the last step."""
        return float(self._solver.t)

    @property
    def coordinates(self) -> Array:
        """The coordinates at the end of the last step."""
        return self._solver.y

    def interpolant(self) -> Callable[[float], Array]:
        """The coordinates as a function of a time within the last step, by the solver's own interpolation."""
        between, solver = self._solver.dense_output(), self._solver
        # The interpolant misses the end of the step by rounding.
        return lambda time: solver.y if time >= solver.t else between(time)

    def _jacobian(self, _: float, coordinates: Array) -> Array:
        return jacobian(self._system, coordinates)

    def _velocity(self, _: float, coordinates: Array) -> Array:
        if not np.isfinite(coordinates).all():
            return np.full_like(coordinates, np.nan)
        return self._system.velocity(coordinates)


def _method(stiff: bool) -> Any:
    from scipy.integrate import BDF, DOP853  # takes half a second, which a worker that starts need not wait for

    return BDF if stiff else DOP853


def stiffness(system: System, coordinates: Array) -> float:
    """The fastest rate of a system, times the time in which its largest coordinate changes by its size.

    The rate is the largest eigenvalue of the Jacobian in size, by power iteration on differences of velocities.
    """
    velocity = system.velocity(coordinates)
    direction, rate = np.cos(np.arange(len(coordinates)) + 1.0), 0.0
    size = 1e-6 * (float(np.abs(coordinates).max()) or 1.0)
    for _ in range(POWER_STEPS):
        direction = direction * (size / (norm(direction) or 1.0))
        direction = system.velocity(coordinates + direction) - velocity
        rate = norm(direction) / size
    fastest = float(np.abs(velocity).max())
    return rate * float(np.abs(coordinates).max()) / fastest if fastest > 0 else np.inf
