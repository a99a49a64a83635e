"""The flow of the factors, dF_j/dt = -dl/dF_j - lambda F_j, for any model, to the precision of the factors' entries.

Where a determinant falls towards zero while entries grow, rounding and the tolerances of the integration lose its sign:
at depth 2 near |W00| = 8, where det W is e^-32. A balanced start does not lose it (`flow.end_to_end`).
"""

from functools import partial

import numpy as np
import numpy.typing as npt

from workers.lab.engines.flow.gradients import ChainGradient, ModelGradient
from workers.lab.engines.flow.systems import Reading
from workers.runs.factors import split_factors
from workers.runs.initializers import starting_factors
from workers.runs.scaling import common_exponent
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]

MOST_SQUARED_EXPONENT = 200
"""Factors of sizes from 2^-200 to 2^200 can be squared twice; others are scaled first."""


class FactorFlow:
    """A system whose coordinates are the factors of a run, first to last, each in row-major order."""

    def __init__(self, spec: RunSpec) -> None:
        self._shapes = spec.factor_shapes
        self._conserved_at = partial(spec.model.conserved, shape=spec.problem.shape)
        self._gradient = ChainGradient(spec) if spec.model.is_chain else ModelGradient(spec)
        self._start = starting_factors(spec)
        self._decay = spec.optimizer.weight_decay
        self._conserved = [] if spec.decays else self._conserved_at(self._start)

    def coordinates_of(self, reading: Reading) -> Array:
        return reading.factors.copy()

    def velocity(self, coordinates: Array) -> Array:
        slope = self._gradient(coordinates)
        return -(slope + self._decay * coordinates) if self._decay else -slope

    def loss(self, coordinates: Array) -> float:
        return self._gradient.loss(coordinates)

    def read(self, coordinates: Array, before: Reading) -> Reading:
        return Reading(coordinates, np.nan, self.loss(coordinates), self._drift(coordinates))

    def _drift(self, coordinates: Array) -> float:
        """The largest change of a conserved quantity since step 0, over the largest squared norm of a factor."""
        factors, conserved = split_factors(coordinates, self._shapes), self._conserved
        if not conserved:
            return 0.0
        exponent = common_exponent(*factors, *self._start)
        if abs(exponent) > MOST_SQUARED_EXPONENT:
            factors = [np.ldexp(factor, -exponent) for factor in factors]
            conserved = self._conserved_at([np.ldexp(factor, -exponent) for factor in self._start])
        now = self._conserved_at(factors)
        changes = (float(np.linalg.norm(new - start)) for new, start in zip(now, conserved, strict=True))
        return max(changes) / (max(float(np.sum(factor**2)) for factor in factors) or 1.0)
