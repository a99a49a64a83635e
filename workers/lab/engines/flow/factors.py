"""The flow of the factors, dF_j/dt = -dl/dF_j, of any model: faithful as long as the factors' entries are.

Where a determinant falls towards zero beside entries that grow, its sign is lost to rounding and to the tolerances of
the integration: at depth 2 near |W00| = 8, where det W is e^-32. A balanced start has no such end (`flow_end_to_end`).
"""

from math import prod

import numpy as np
import numpy.typing as npt
import torch

from workers.lab.engines.flow.systems import Standing
from workers.lab.models.base import build_model
from workers.lab.models.layout import FactorLayout
from workers.runs.conservation import conserved
from workers.runs.initializers import starting_factors
from workers.runs.losses import ProductLoss, factor_gradients, product_of
from workers.runs.models import DeepMatrix
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]


class FactorFlow:
    """The factors of a run, one after the other in row-major order."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._shapes = spec.factor_shapes
        self._cuts = np.cumsum([prod(shape) for shape in self._shapes])[:-1]
        self._gradient = MatrixGradient(spec) if isinstance(spec.model, DeepMatrix) else ModelGradient(spec)
        self._conserved = conserved(spec, starting_factors(spec))

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
        factors = [part.reshape(shape) for part, shape in zip(np.split(numbers, self._cuts), self._shapes, strict=True)]
        now = conserved(self._spec, factors)
        if not now:
            return 0.0
        moved = max(float(np.linalg.norm(one - at_start)) for one, at_start in zip(now, self._conserved, strict=True))
        return moved / (max(float(np.sum(factor**2)) for factor in factors) or 1.0)


class MatrixGradient:
    """The gradient of a deep matrix factorisation at numbers (..., size)."""

    def __init__(self, spec: RunSpec) -> None:
        self._loss, self._shapes = ProductLoss(spec), spec.factor_shapes
        self._cuts = list(np.cumsum([prod(shape) for shape in self._shapes])[:-1])

    def __call__(self, numbers: Array) -> Array:
        gradients = factor_gradients(self._loss, self._factors(numbers))
        return np.concatenate([one.reshape(*numbers.shape[:-1], -1) for one in gradients], axis=-1)

    def loss(self, numbers: Array) -> float:
        return self._loss.value(product_of(self._factors(numbers)))

    def _factors(self, numbers: Array) -> list[Array]:
        parts = np.split(numbers, self._cuts, axis=-1)
        return [part.reshape(*part.shape[:-1], *shape) for part, shape in zip(parts, self._shapes, strict=True)]


class ModelGradient:
    """The gradient of any factorisation at numbers (..., size), by the model that descents use."""

    def __init__(self, spec: RunSpec) -> None:
        layout = FactorLayout(spec.factor_shapes, 1)
        self._flat, self._slope = (torch.zeros(layout.size, dtype=torch.float64) for _ in range(2))
        self._twice_loss = torch.zeros(1, 1, 1, dtype=torch.float64)
        model = build_model([spec], layout.blocks(self._slope))
        self._evaluate = model.bind(layout.blocks(self._flat), self._twice_loss)

    def __call__(self, numbers: Array) -> Array:
        if numbers.ndim > 1:
            return np.array([self(one) for one in numbers])
        self._at(numbers)
        return self._slope.numpy().copy()

    def loss(self, numbers: Array) -> float:
        self._at(numbers)
        return 0.5 * self._twice_loss.item()

    def _at(self, numbers: Array) -> None:
        with torch.inference_mode():
            self._flat.copy_(torch.from_numpy(numbers))
            self._evaluate()
