"""The flow of the factors, dF_j/dt = -dl/dF_j, of any model: faithful as long as the factors' entries are.

Where a determinant falls towards zero beside entries that grow, its sign is lost to rounding and to the tolerances of
the integration: at depth 2 near |W00| = 8, where det W is e^-32. A balanced start has no such end (`flow_end_to_end`).
"""

import numpy as np
import numpy.typing as npt

from workers.lab.engines.flow.gradients import ChainGradient, ModelGradient
from workers.lab.engines.flow.systems import Standing
from workers.runs.factors import split_factors
from workers.runs.initializers import starting_factors
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]


class FactorFlow:
    """The factors of a run, first to last, each in row-major order."""

    def __init__(self, spec: RunSpec) -> None:
        self._model, self._shapes = spec.model, spec.factor_shapes
        self._gradient = ChainGradient(spec) if spec.model.is_chain else ModelGradient(spec)
        self._conserved = spec.model.conserved(starting_factors(spec))

    def begin(self, standing: Standing) -> Array:
        return standing.factors.copy()

    def velocity(self, numbers: Array) -> Array:
        return -self._gradient(numbers)

    def loss(self, numbers: Array) -> float:
        return self._gradient.loss(numbers)

    def stand(self, numbers: Array, before: Standing) -> Standing:
        return Standing(numbers, np.nan, self.loss(numbers), self._drift(numbers))

    def _drift(self, numbers: Array) -> float:
        """The largest change of what is conserved since step 0, over the largest squared norm of a factor."""
        factors = split_factors(numbers, self._shapes)
        now = self._model.conserved(factors)
        if not now:
            return 0.0
        changes = (float(np.linalg.norm(new - start)) for new, start in zip(now, self._conserved, strict=True))
        return max(changes) / (max(float(np.sum(factor**2)) for factor in factors) or 1.0)
