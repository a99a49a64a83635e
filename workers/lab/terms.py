"""Terms: the parts that single observations have in the losses of a batch, and in their gradients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from workers.lab.losses import SQUARES, LossMaths, maths_of, padded, parameter_of
from workers.runs.losses import LossBase


class Terms(Protocol):
    """The terms at the residuals in a buffer; every intermediate is allocated once.

    Attributes:
        left, right: of the residual's shape; the sum of their products is twice the loss.
    """

    left: Tensor
    right: Tensor

    def evaluate(self) -> None:
        """Write the loss's derivative in each prediction into the buffer of the signal, then `left` and `right`."""
        ...

    def disturb(self, labels: Tensor | None, shares: Tensor | None) -> None:
        """Make the signal, which `evaluate` has written, that of a step; `left` and `right` no longer hold.

        Args:
            labels: what is added to the observed values, of the residual's shape.
            shares: by what the signal is multiplied then, of that shape.
        """
        ...


@dataclass(frozen=True, eq=False)
class Weighting:
    """The losses of a batch as functions of the residuals: predictions less targets.

    Attributes:
        maths: of their kind.
        weights: by which the terms are multiplied, with the sign by which phi's argument is; they broadcast against
            residuals.
        parameters: of the losses; they broadcast against residuals.
        working_numbers: see `workers.runs.losses.LossBase`.
    """

    maths: LossMaths
    weights: Tensor
    parameters: Tensor
    working_numbers: int

    @classmethod
    def of(cls, losses: Sequence[LossBase], weights: Tensor, counts: Sequence[int] | None = None) -> "Weighting":
        """The weighting of runs whose losses are of a kind.

        Args:
            weights: (runs, rows, columns), or (observations,) of all runs where `counts` are given.
            counts: observations of each run.
        """
        parameters = weights.new_tensor([parameter_of(loss) for loss in losses])
        if counts is None:
            parameters = parameters[:, None, None]
        else:
            parameters = parameters.repeat_interleave(torch.tensor(counts, device=weights.device))
        return cls(maths_of(losses[0]), weights, parameters, losses[0].working_numbers)

    def select(self, runs: Tensor) -> "Weighting":
        """That of the runs at the given positions (repeats allowed)."""
        return replace(self, weights=self.weights[runs], parameters=self.parameters[runs])

    def curvature(self, residual: Tensor) -> Tensor:
        """The second derivative of the loss in each prediction, at residuals; zero where nothing is observed."""
        if self.maths is SQUARES:
            return self.weights.expand_as(residual)
        bent = self.maths.curvature(residual * self.weights.sign(), self.parameters) * self.weights.abs()
        return torch.where(self.weights == 0, 0.0, bent)

    def on(self, residual: Tensor, signal: Tensor) -> Terms:
        """The terms at residuals in one buffer, with the signal in another of its shape."""
        if self.maths is SQUARES:
            return _SquareTerms(self.weights, residual, signal)
        return _PointwiseTerms(self, residual, signal)

    def twice(self, residual: Tensor) -> Tensor:
        """Twice the terms of the loss at residuals, for torch to differentiate twice."""
        if self.maths is SQUARES:
            return residual.square() * self.weights
        value: Tensor = _Value.apply(self.maths, residual * self.weights.sign(), self.parameters)
        return value * (2 * self.weights.abs())


class _SquareTerms:
    """Of squares the signal is the weighted residual, and their product is twice the loss."""

    def __init__(self, weights: Tensor, residual: Tensor, signal: Tensor) -> None:
        self._weights, self.left, self.right = weights, signal, residual

    def evaluate(self) -> None:
        torch.mul(self.right, self._weights, out=self.left)

    def disturb(self, labels: Tensor | None, shares: Tensor | None) -> None:
        if labels is not None:
            self.left.addcmul_(labels, self._weights, value=-1)
        if shares is not None:
            self.left.mul_(shares)


class _PointwiseTerms:
    """phi and its slope, taken of whole vectors (`workers.lab.losses`)."""

    def __init__(self, weighting: Weighting, residual: Tensor, signal: Tensor) -> None:
        self._maths, self._residual, self._signal, self._weights = weighting.maths, residual, signal, weighting.weights
        self._signs, self.left = self._weights.sign(), self._weights.abs()
        self.right, self._count = torch.empty_like(residual), residual.numel()
        self._arguments, self._parameters = (residual.new_ones(padded(self._count)) for _ in range(2))
        self._of_shape(self._parameters).copy_(weighting.parameters)

    def evaluate(self) -> None:
        self._pull_at(self._residual)
        value = self._maths.value(self._arguments, self._parameters)
        torch.mul(self._of_shape(value), 2.0, out=self.right)

    def disturb(self, labels: Tensor | None, shares: Tensor | None) -> None:
        if labels is not None:
            self._pull_at(self._residual.sub_(labels))
        if shares is not None:
            self._signal.mul_(shares)

    def _pull_at(self, residual: Tensor) -> None:
        """The arguments of phi at residuals, and the signal."""
        torch.mul(residual, self._signs, out=self._of_shape(self._arguments))
        slope = self._maths.slope(self._arguments, self._parameters)
        torch.mul(self._of_shape(slope), self._weights, out=self._signal)

    def _of_shape(self, flat: Tensor) -> Tensor:
        return flat[: self._count].view(self._residual.shape)


class _Value(torch.autograd.Function):
    """phi, whose derivative is its slope."""

    @staticmethod
    def forward(ctx: Any, maths: LossMaths, argument: Tensor, parameters: Tensor) -> Tensor:
        ctx.maths = maths
        ctx.save_for_backward(argument, parameters)
        return maths.value(argument, parameters)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[None, Tensor, None]:
        argument, parameters = ctx.saved_tensors
        slope: Any = _Slope.apply(ctx.maths, argument, parameters)
        return None, upstream[0] * slope, None


class _Slope(torch.autograd.Function):
    """The slope of phi, whose derivative is its curvature."""

    @staticmethod
    def forward(ctx: Any, maths: LossMaths, argument: Tensor, parameters: Tensor) -> Tensor:
        ctx.maths = maths
        ctx.save_for_backward(argument, parameters)
        return maths.slope(argument, parameters)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[None, Tensor, None]:
        argument, parameters = ctx.saved_tensors
        return None, upstream[0] * ctx.maths.curvature(argument, parameters), None
