"""Optimisers whose steps take each factor as a matrix.

A factor of another order than 2 is a matrix by halves: the first half of its dimensions, the middle one included, are
rows. A vector is a single column.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from workers.runs.base import Count, NonNegative, Positive, misfit
from workers.runs.optimizers.base import Decay, DescentBase

if TYPE_CHECKING:
    from workers.runs.models import ModelBase

SVD_MULTIPLY_ADDS = 14
"""Multiply-adds of a singular value decomposition with vectors, over rows * columns * the smaller of both: for a square
matrix 4 m n^2 + 22 n^3 and 2 m n^2 operations for its vectors (Golub and Van Loan 2013, table 8.6.1)."""

EIGEN_MULTIPLY_ADDS = 5
"""Multiply-adds of the eigenvalues and vectors of a symmetric n x n matrix, over n^3: 9 n^3 operations (there, 8.3)."""


def matrix_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of a factor as a matrix."""
    middle = (len(shape) + 1) // 2
    return prod(shape[:middle]), prod(shape[middle:])


class Muon(DescentBase, frozen=True):
    """Muon (Jordan and others 2024): momentum, whose step has singular values near 1 in every factor.

    v <- momentum v + gradient, d = gradient + momentum v with `nesterov`, else v, F <- F - learning_rate * O(d).
    O by `svd` is the exact polar factor U V^T of d = U S V^T; singular values below rounding of the largest count as 0,
    and their vectors as no step. O by `newton_schulz` takes X = d / |d| (Frobenius) through `steps` times
    X <- a X + (b A + c A^2) X, A = X X^T, with (a, b, c) = (3.4445, -4.7750, 2.0315): singular values between about
    0.7 and 1.2. A zero d makes no step. Steps are not scaled by the sizes of factors, as some versions scale them.
    With `svd` and momentum 0 it is spectral descent (Carlson, Cevher, Carin 2015) without its scale.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "muon", "learning_rate": 0.02, "momentum": 0.5}
    slots: ClassVar[int] = 2
    is_capturable: ClassVar[bool] = False
    kind: Literal["muon"]
    momentum: Decay = 0.95
    nesterov: bool = True
    orthogonalize: Literal["newton_schulz", "svd"] = "newton_schulz"
    steps: Count = 5

    def batch_words(self) -> Sequence[str]:
        """See `OptimizerBase`."""
        steps = f"={self.steps}" if self.orthogonalize == "newton_schulz" else ""
        return [*super().batch_words(), f"{self.orthogonalize}{steps}", *(["nesterov"] if self.nesterov else [])]

    def update_multiply_adds(self, shapes: Sequence[tuple[int, ...]]) -> int:
        """See `OptimizerBase`; an iteration makes A, A^2 and (b A + c A^2) X."""
        total = 0
        for rows, columns in map(matrix_shape, shapes):
            least = min(rows, columns)
            total += (3 + self.nesterov) * rows * columns
            if self.orthogonalize == "svd":
                total += (SVD_MULTIPLY_ADDS + 1) * rows * columns * least
            else:
                total += self.steps * (2 * rows * columns * least + least**3 + rows * columns + 2 * least * least)
        return total


class Shampoo(DescentBase, frozen=True):
    """Shampoo (Gupta, Koren, Singer 2018, Algorithm 1): F <- F - learning_rate * L^(-1/4) gradient R^(-1/4).

    L <- L + gradient gradient^T from epsilon I, R <- R + gradient^T gradient from epsilon I, of every factor by itself.
    The roots are taken of L and R at every `every`-th step, the first included, and kept for the steps between.
    A state holds L - epsilon I, R - epsilon I and both roots of each factor.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "shampoo", "learning_rate": 0.05, "every": 3}
    slots: ClassVar[int] = 1
    is_capturable: ClassVar[bool] = False
    kind: Literal["shampoo"]
    every: Count = 20
    epsilon: Positive = 1e-4

    def matrices(self, shapes: Sequence[tuple[int, ...]]) -> Sequence[tuple[int, int]]:
        """See `OptimizerBase`: L, R, L^(-1/4), R^(-1/4) of each factor in turn."""
        sizes = [size for shape in shapes for size in matrix_shape(shape) * 2]
        return [(size, size) for size in sizes]

    def update_multiply_adds(self, shapes: Sequence[tuple[int, ...]]) -> int:
        """See `OptimizerBase`; decompositions, and roots from them, count by their share of the steps."""
        total = 0
        for rows, columns in map(matrix_shape, shapes):
            total += rows * columns * (2 * (rows + columns) + 1)
            total += (EIGEN_MULTIPLY_ADDS + 1) * (rows**3 + columns**3) // self.every
        return total


class ScaledGradientDescent(DescentBase, frozen=True):
    """Scaled gradients of W = F1 F2 (Tong, Ma, Chi 2021), of a `deep_matrix` of depth 2 or a `symmetric_matrix`.

    F1 <- F1 - learning_rate * gradient (F2 F2^T + damping I)^-1, F2 <- F2 - learning_rate * (F1^T F1 + damping I)^-1
    gradient, both from the same state. Of W = U U^T, U <- U - learning_rate * gradient (U^T U + damping I)^-1 (Zhang,
    Fattahi, Zhang 2021). Without damping, factors of less than full rank have no such step, and the run diverges.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "scaled_gradient_descent", "learning_rate": 0.05, "damping": 0.01}
    slots: ClassVar[int] = 1
    is_capturable: ClassVar[bool] = False
    kind: Literal["scaled_gradient_descent"]
    damping: NonNegative = 0.0

    def check_model(self, model: "ModelBase", shape: Sequence[int]) -> None:
        """See `OptimizerBase`."""
        super().check_model(model, shape)
        if not model.is_symmetric and not (model.is_chain and model.depth_of(shape) == 2):
            raise misfit(
                ("optimizer", "kind"),
                "scaled_gradient_descent is defined for a product of two factors; take a deep_matrix of depth 2 or a "
                "symmetric_matrix, or another optimiser.",
            )

    def update_multiply_adds(self, shapes: Sequence[tuple[int, ...]]) -> int:
        """See `OptimizerBase`: Gram matrices, their triangles, and a solution for every row or column."""
        inner = shapes[0][1]
        return len(shapes) * inner**3 // 3 + sum(2 * prod(shape) * inner + prod(shape) for shape in shapes)
