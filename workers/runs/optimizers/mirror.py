"""Mirror descent on the product itself."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from workers.runs.base import Positive, misfit
from workers.runs.factors import Factor
from workers.runs.optimizers.base import DescentBase
from workers.runs.optimizers.of_matrices import EIGEN_MULTIPLY_ADDS, SVD_MULTIPLY_ADDS

if TYPE_CHECKING:
    from workers.runs.models import ModelBase


class MirrorDescent(DescentBase, frozen=True):
    """Mirror descent on W by a spectral potential (Wu and Rebeschini 2021, arXiv:2105.03678), of depth 1.

    The gradient of the potential, P, moves: P <- P - learning_rate * gradient, and W follows from it.
    `hypentropy` (Ghai, Hazan, Singer 2020): P = U arcsinh(S / beta) V^T of W = U S V^T, so W = beta U sinh(S) V^T of
    P = U S V^T. `entropy`: W = exp(P), symmetric and positive definite at the start and from then on; the gradient is
    then (G + G^T) / 2 of the gradient G. A state holds W and P; P is taken of W before the first step.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "mirror_descent", "learning_rate": 0.05, "beta": 0.1}
    slots: ClassVar[int] = 2
    is_capturable: ClassVar[bool] = False
    kind: Literal["mirror_descent"]
    potential: Literal["hypentropy", "entropy"] = "hypentropy"
    beta: Positive | None = None

    @model_validator(mode="after")
    def _beta_of_hypentropy(self) -> Self:
        if self.potential == "hypentropy" and self.beta is None:
            raise misfit(("beta",), "Give the beta of the hypentropy: smaller is nearer to the nuclear norm.")
        if self.potential == "entropy" and self.beta is not None:
            raise misfit(("beta",), "The entropy has no beta; leave it out.")
        return self

    def batch_words(self) -> Sequence[str]:
        """See `OptimizerBase`."""
        return [*super().batch_words(), self.potential]

    def check_model(self, model: "ModelBase", shape: Sequence[int]) -> None:
        """See `OptimizerBase`."""
        super().check_model(model, shape)
        if not model.is_chain or model.depth_of(shape) != 1:
            raise misfit(
                ("optimizer", "kind"), "mirror_descent moves the product itself; take a deep_matrix of depth 1."
            )
        if self.decay_word == "decoupled":
            message = "Mirror descent moves the gradient of its potential, not W; take the decay 'coupled'."
            raise misfit(("optimizer", "decay"), message)
        if self.potential == "entropy" and shape[0] != shape[1]:
            raise misfit(
                ("optimizer", "potential"),
                f"The entropy is of symmetric matrices and this problem is {shape[0]} x {shape[1]}; take hypentropy.",
            )

    def start_misfit(self, factors: Sequence[Factor]) -> str | None:
        """See `OptimizerBase`."""
        start = factors[0]
        if self.potential == "hypentropy":
            return None
        if np.array_equal(start, start.T) and np.linalg.eigvalsh(start)[0] > 0:
            return None
        return (
            "The entropy needs a symmetric positive definite start; take the start 'identity', or explicit factors "
            "that are, or hypentropy."
        )

    def update_multiply_adds(self, shapes: Sequence[tuple[int, ...]]) -> int:
        """See `OptimizerBase`: one decomposition, and W from it."""
        rows, columns = shapes[0]
        decomposition = SVD_MULTIPLY_ADDS if self.potential == "hypentropy" else EIGEN_MULTIPLY_ADDS
        return (decomposition + 1) * rows * columns * min(rows, columns) + 2 * rows * columns
