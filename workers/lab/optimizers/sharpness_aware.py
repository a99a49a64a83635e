"""The gradient of a nearby point, uphill along the gradient."""

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.lab.models.layout import FactorLayout
from workers.lab.models.maths import Evaluation, Gradient
from workers.lab.products import sums_of_squares
from workers.runs import optimizers


class SharpnessAwareGradient:
    """The loss at factors F and the gradient at F + rho g / |g|, for a batch; see `workers.runs.optimizers.Sam`.

    Args:
        specs: the optimisers of the runs.
        layout, gradient: of the factors, and the vector (size,) where gradients are written.
        model: writes the gradient of the loss there.
    """

    def __init__(
        self, specs: Sequence[optimizers.Sam], layout: FactorLayout, gradient: Tensor, model: Gradient
    ) -> None:
        self._model, self._trained = model, specs[0].trained(len(layout.shapes))
        self._gradient = layout.blocks(gradient)
        self._rho = torch.as_tensor([spec.rho for spec in specs], dtype=gradient.dtype, device=gradient.device)
        nearby = torch.zeros_like(gradient)
        self._nearby, self._rows = (
            layout.blocks(nearby),
            list(zip(layout.rows(nearby), layout.rows(gradient), strict=True)),
        )
        self._evaluate_nearby = model.bind(self._nearby, gradient.new_zeros(layout.runs, 1, 1))

    def bind(self, factors: Sequence[Tensor], loss: Tensor) -> Evaluation:
        """See `workers.lab.models.maths.Gradient`."""
        evaluate_here = self._model.bind(factors, loss)

        def evaluate() -> None:
            evaluate_here()
            norm = sums_of_squares([self._gradient[number] for number in self._trained]).sqrt_()
            scale = torch.where(norm > 0, self._rho / norm, 0.0)[:, None, None]
            for nearby, factor in zip(self._nearby, factors, strict=True):
                nearby.copy_(factor)
            for number in self._trained:
                nearby, gradient = self._rows[number]
                nearby.add_(gradient * scale)
            self._evaluate_nearby()

        return evaluate
