"""What the laboratory asks of a model's mathematics."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from workers.lab.objectives import Objective

Evaluation = Callable[[], None]


class Gradient(Protocol):
    """Loss and gradient of a batch at many states, with every intermediate allocated once."""

    def bind(self, factors: Sequence[Tensor], loss: Tensor) -> Evaluation:
        """A call that evaluates these factors, whatever they hold by then.

        Args:
            factors: (runs, rows, columns) per factor.
            loss: (runs, 1, 1), where *twice* the loss is written.

        Returns:
            A call that writes the loss, and the gradient into the blocks that the object was made with.
        """
        ...


class ModelMaths(ABC):
    """Product and gradient of one kind of model, for a batch of runs."""

    @abstractmethod
    def product(self, factors: Sequence[Tensor]) -> Tensor:
        """W as a matrix (runs, rows, columns), that of a tensor reshaped by its halves; differentiable."""

    @abstractmethod
    def chain(self, factors: Sequence[Tensor]) -> list[Tensor]:
        """Matrices (runs, rows, columns) whose product, first to last, is the W of a model of order 2."""

    @abstractmethod
    def gradient(self, objective: Objective, gradient: Sequence[Tensor]) -> Gradient:
        """The evaluation of loss and gradient.

        Args:
            objective: the observations of the batch.
            gradient: (runs, rows, columns) per factor, where gradients are written.
        """
