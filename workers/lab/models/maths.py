"""Interface of a model's mathematics."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from workers.lab.objectives import Objective
from workers.runs.models.base import ModelBase

Evaluation = Callable[[], None]


class Gradient(Protocol):
    """Loss and gradient of a batch at many states; every intermediate is allocated once."""

    def bind(self, factors: Sequence[Tensor], loss: Tensor) -> Evaluation:
        """Bind an evaluation to the memory of factors and loss.

        Args:
            factors: (runs, ...) per factor; each call reads their present values.
            loss: (runs, 1, 1), where *twice* the loss is written.

        Returns:
            A call that writes twice the loss, and the gradient into the blocks given at construction.
        """
        ...


class ModelMaths(ABC):
    """Product and gradient of one kind of model, for a batch of runs.

    Args:
        model: of all runs.
        shape: of the problem.
    """

    def __init__(self, model: ModelBase, shape: Sequence[int]) -> None:
        self._model, self._shape = model, tuple(shape)

    @abstractmethod
    def product(self, factors: Sequence[Tensor]) -> Tensor:
        """W as a matrix (runs, rows, columns), a tensor reshaped by its halves; differentiable."""

    @abstractmethod
    def chain(self, factors: Sequence[Tensor]) -> list[Tensor]:
        """Matrices (runs, rows, columns) whose product, first to last, is W; only for a W of order 2."""

    @abstractmethod
    def gradient(self, objective: Objective, gradient: Sequence[Tensor]) -> Gradient:
        """The evaluation of loss and gradient.

        Args:
            objective: the observations of the batch.
            gradient: (runs, ...) per factor, where gradients are written.
        """

    def conserved(self, factors: Sequence[Tensor]) -> list[Tensor] | None:
        """What a gradient flow conserves, (runs, ...) each, zero of balanced factors; None where the chain says it."""
        return None

    @property
    def bends(self) -> bool:
        """Whether W is not linear in every single trained number, so that it has second derivatives."""
        return False

    def bend(self, signal: Tensor, factors: Sequence[Tensor]) -> Tensor:
        """<S, sum_i d^2 W / dF_i^2> over all trained numbers i, (runs,), of S (runs, rows, columns)."""
        raise NotImplementedError
