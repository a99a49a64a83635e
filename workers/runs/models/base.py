"""Base of all kinds of model, without torch; their mathematics is in `workers.lab.models`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from workers.runs.base import SpecModel, misfit
from workers.runs.contractions.invariants import Axis
from workers.runs.factors import Factor
from workers.runs.starts.gaussian import Gaussian

if TYPE_CHECKING:
    from workers.runs.losses import LossBase
    from workers.runs.problems import Problem

Cut = tuple[int, int]
"""Modes begin ... end - 1 of a tensor, which are cut from all others."""


class ModelBase(SpecModel, ABC, frozen=True):
    """A way to write the product W; `shape` is the shape of W in every method.

    Class attributes:
        example: a small valid model of this kind, as JSON values.
        further_examples: others, for what one example cannot show.
        is_trained: whether it descends, or flows, from a start; a baseline that is solved does neither.
        proofs: columns of the summary that hold what is proven of a baseline's solution.
        is_fusable: whether the fused engine computes its product and its gradient.
        fuses_measurements: whether it does so of linear measurements, too, and then on a CPU alone.
        is_chain: whether W is the plain product of independent matrices, so that a flow may carry its determinant.
        is_symmetric: whether W is the only factor times its own transpose.
        sums_components: whether W is a sum of components, of any order.
        has_layers: whether a W of order 2 is the product of its factors, each a matrix and a layer, once or transposed.
        evaluates_entries: whether single entries cost less than the full product.
        width_name: name of the second dimension of the first factor.
    """

    example: ClassVar[Mapping[str, Any]]
    further_examples: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    is_trained: ClassVar[bool] = True
    proofs: ClassVar[tuple[str, ...]] = ()
    is_fusable: ClassVar[bool] = False
    fuses_measurements: ClassVar[bool] = False
    is_chain: ClassVar[bool] = False
    is_symmetric: ClassVar[bool] = False
    sums_components: ClassVar[bool] = False
    has_layers: ClassVar[bool] = True
    evaluates_entries: ClassVar[bool] = False
    width_name: ClassVar[str] = "rank"

    @abstractmethod
    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Shapes of the trained factors, first to last; (rows, columns) of those that are matrices."""

    def factor_names(self, shape: Sequence[int]) -> tuple[str, ...]:
        """Names of the factors, first to last."""
        return tuple(f"factor_{number}" for number in range(len(self.factor_shapes(shape))))

    def is_vector(self, shape: Sequence[int]) -> bool:
        """Whether W is a vector, of a problem with a single row."""
        return False

    def most_rank(self, shape: Sequence[int]) -> int:
        """The largest rank that a W of order 2 may have."""
        return min(map(min, self.factor_shapes(shape)))

    @abstractmethod
    def depth_of(self, shape: Sequence[int]) -> int:
        """How many factors are multiplied; a factor that occurs twice in the product counts twice."""

    @abstractmethod
    def check_shape(self, shape: Sequence[int]) -> None:
        """Raise a misfit, pointing into the run, unless the model has products of this shape."""

    def imbalances(self, shape: Sequence[int]) -> tuple[int, ...] | None:
        """For each factor whether an imbalance makes it larger, 1, or smaller, -1; None without pairs of factors."""
        return None

    def gains(self, shape: Sequence[int]) -> bool:
        """Whether W is the product of two vectors, number by number, so that descent has a gain."""
        return False

    def check(self, problem: "Problem", loss: "LossBase") -> None:
        """Raise a misfit, pointing into the run, unless the model is one for this problem and this loss."""
        self.check_shape(problem.shape)

    @abstractmethod
    def multiply_adds(self, shape: Sequence[int]) -> int:
        """Multiply-adds of the product and of its gradient in the factors; for a solver, those of an iteration."""

    @abstractmethod
    def intermediate_numbers(self, shape: Sequence[int]) -> int:
        """Intermediate numbers, between the factors and the product, that an evaluation keeps in memory."""

    @abstractmethod
    def draw(self, start: Gaussian, shape: Sequence[int], stream: np.random.Generator) -> list[Factor]:
        """Factors of a Gaussian start, with either sign of their determinant."""

    def check_gaussian(self, start: Gaussian, shape: Sequence[int]) -> None:
        """Raise a misfit, pointing into the run, unless the model can start like this."""

    def entry_std(self, start: Gaussian, shape: Sequence[int]) -> float:
        """Standard deviation of the entries of a Gaussian start's factors; of a balanced one, their scale."""
        return start.common_std

    @abstractmethod
    def chain(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        """Matrices whose product, first to last, is W; only for a W of order 2."""

    def conserves(self, shape: Sequence[int]) -> bool:
        """Whether a gradient flow conserves something, whatever the loss."""
        return len(self.factor_shapes(shape)) > 1

    @abstractmethod
    def conserved(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        """Quantities that a gradient flow conserves, at these factors, as arrays; empty where there are none.

        They are quadratic: of factors twice as large they are four times as large.
        """

    def component_axes(self, shape: Sequence[int]) -> tuple[tuple[Axis, ...], ...]:
        """Dimensions of factors along which the slices of one index make up a component, whose norm is their product.

        For each node of a tree, those of its local components, children first, so that the last are the components of
        the product; of a plain sum of components once; empty for a model without.
        """
        return ()

    def cuts(self, shape: Sequence[int]) -> tuple[Cut, ...]:
        """Cuts of the modes in two whose matricisations have ranks that the sizes of the factors bound."""
        return ()

    def most_split_rank(self, shape: Sequence[int]) -> int:
        """The largest rank of a matrix that `split` writes in factors; 0 for a model that cannot."""
        return 0

    def split(self, matrix: Factor, rank: int) -> list[Factor]:
        """The best approximation of a rank to a matrix of the problem's shape, written in factors of equal weight."""
        raise NotImplementedError

    @abstractmethod
    def label(self) -> str:
        """The model in a few words, for figures."""

    @abstractmethod
    def components(self, shape: Sequence[int]) -> int | None:
        """How many components, or columns of a symmetric factor, are trained; None for a model without components."""

    def settled(self, problem: "Problem") -> Self:
        """The model with defaults that depend on the observations filled in, as it is stored."""
        return self

    def batch_words(self, shape: Sequence[int]) -> str:
        """The sizes of the model that change the shapes of arrays, beyond the shape of W, as words."""
        return f"rank={self.factor_shapes(shape)[0][1]}"

    def semidefinite_size(self, shape: Sequence[int]) -> int:
        """Rows of the semidefinite matrix that a solver works on; 0 for a model that is trained."""
        return 0

    def solver_points(self, shape: Sequence[int]) -> int:
        """The most points that a solver records."""
        return 1

    def solver_bytes(self, shape: Sequence[int], observed_numbers: int) -> int:
        """Memory that a solve takes, within a factor of two; 0 for a model that is trained.

        Args:
            observed_numbers: of the observations, see `workers.runs.problems.base`.
        """
        return 0

    def less_memory(self, shape: Sequence[int], observed_numbers: int, most: int) -> tuple[tuple[str, ...], str]:
        """What to change of a run whose solver would take more than `most` bytes: the field, and the advice."""
        return ("problem",), "take a smaller matrix"

    def solve_multiply_adds(self, problem: "Problem") -> int:
        """Multiply-adds of a whole solve, roughly; 0 for a model that is trained."""
        return 0

    @classmethod
    def fill_in(cls, run: Mapping[str, Any]) -> dict[str, Any]:
        """A run as JSON values, with this model's defaults for the other parts filled in."""
        return dict(run)


def check_is_matrix(kind: str, shape: Sequence[int]) -> None:
    """Raise a misfit where a model of matrices meets a tensor."""
    if len(shape) > 2:
        raise misfit(
            ("model", "kind"), f"A {kind} has two dimensions and this problem has {len(shape)}; use a cp_tensor."
        )
