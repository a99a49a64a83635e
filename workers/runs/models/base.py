"""What a model of any kind says of itself, free of torch; its mathematics stand in `workers.lab.models`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from workers.runs.base import SpecModel, misfit
from workers.runs.factors import Factor
from workers.runs.starts import Gaussian


class ModelBase(SpecModel, ABC, frozen=True):
    """A way to write the product W; `shape` is the shape of W in every question.

    Class attributes:
        example: a small valid model of this kind, as JSON values.
        is_trained: whether it descends, or flows, from a start; a baseline that is solved does neither.
        is_fusable: whether the fused engine computes its product and its gradient.
        is_chain: whether W is the plain product of independent matrices: then a flow may carry its determinant.
        is_symmetric: whether W is the only factor times its own transpose.
        sums_components: whether W is a sum of components, of any order; else it is a matrix.
        evaluates_entries: whether single entries cost less than the whole product.
        width_name: what the second dimension of the first factor is called.
    """

    example: ClassVar[Mapping[str, Any]]
    is_trained: ClassVar[bool] = True
    is_fusable: ClassVar[bool] = False
    is_chain: ClassVar[bool] = False
    is_symmetric: ClassVar[bool] = False
    sums_components: ClassVar[bool] = False
    evaluates_entries: ClassVar[bool] = False
    width_name: ClassVar[str] = "rank"

    @abstractmethod
    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Shapes (rows, columns) of the trained factors, first to last."""

    @abstractmethod
    def depth_of(self, shape: Sequence[int]) -> int:
        """How many factors are multiplied; a factor that stands twice in the product counts twice."""

    @abstractmethod
    def check_shape(self, shape: Sequence[int]) -> None:
        """Raise a misfit, pointing into the run, unless the model has products of this shape."""

    @abstractmethod
    def multiply_adds(self, shape: Sequence[int]) -> int:
        """Multiply-adds of the product and of the gradient in its factors; of a solver, those of an iteration."""

    @abstractmethod
    def intermediate_numbers(self, shape: Sequence[int]) -> int:
        """Numbers between the factors and the product that an evaluation keeps in memory."""

    @abstractmethod
    def draw(self, start: Gaussian, shape: Sequence[int], stream: np.random.Generator) -> list[Factor]:
        """Factors of a Gaussian start, whatever the sign of their determinant."""

    @abstractmethod
    def chain(self, factors: Sequence[Factor]) -> list[Factor]:
        """Matrices whose product, first to last, is W; of a tensor of order 2."""

    @abstractmethod
    def conserved(self, factors: Sequence[Factor]) -> list[Factor]:
        """What a gradient flow from these factors conserves, as arrays; empty where that is nothing."""

    @abstractmethod
    def label(self) -> str:
        """The model in a few words, as figures call it."""

    @abstractmethod
    def components(self, shape: Sequence[int]) -> int | None:
        """How many components, or columns of a symmetric factor, are trained; None where there are none to count."""

    def batch_words(self, shape: Sequence[int]) -> str:
        """What of the model changes the shapes of arrays, beyond the shape of W."""
        return f"rank={self.factor_shapes(shape)[0][1]}"

    def semidefinite_size(self, shape: Sequence[int]) -> int:
        """Rows of the semidefinite matrix that a solver works on; 0 for a model that is trained."""
        return 0

    @classmethod
    def fill_in(cls, run: Mapping[str, Any]) -> dict[str, Any]:
        """A run as JSON values with the defaults that this model brings to its other parts."""
        return dict(run)


def check_is_matrix(kind: str, shape: Sequence[int]) -> None:
    """Raise a misfit where a model of matrices meets a tensor."""
    if len(shape) > 2:
        raise misfit(
            ("model", "kind"), f"A {kind} has two dimensions and this problem has {len(shape)}; use a cp_tensor."
        )
