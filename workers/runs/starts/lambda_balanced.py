"""Lambda-balanced starts: every two neighbouring factors are out of balance by the same multiple of the identity."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import create_model

from workers.runs.base import Positive, misfit
from workers.runs.factors import Factor
from workers.runs.haar import haar
from workers.runs.problems import Problem
from workers.runs.starts.base import LABEL_DIGITS, Size, Startable, StartBase

if TYPE_CHECKING:
    _WithLambda = StartBase
else:  # the field has the name of a keyword
    _WithLambda = create_model("_WithLambda", __base__=StartBase, **{"lambda": (float, ...)})

MOST_STEPS = 200
"""Steps of Newton's method, which ends sooner wherever the equation can be solved to rounding."""


class LambdaBalanced(_WithLambda, frozen=True):
    """F_j^T F_j - F_(j+1) F_(j+1)^T = lambda I for every j, which a gradient flow conserves (Domine and others 2024).

    The product has independent normal entries of standard deviation `std`, cut to the rank that the hidden width holds.
    Its singular vectors and values are split over the factors: F_j = R_(j-1) D_j R_j^T with Haar matrices R between
    them, and D_j^2 = x + (L - j) lambda, or x + (j - 1) |lambda| for a negative lambda, where the product of all D_j
    is the singular value. At depth 2 that is the construction of Domine and others.

    F_1^T F_1 is at least lambda I, so that a positive lambda needs as many rows as the hidden width, and a negative one
    as many columns. Factors that are balanced are those of lambda = 0.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "lambda_balanced", "lambda": 0.25, "std": 0.5}

    kind: Literal["lambda_balanced"]
    std: Positive

    @property
    def imbalance(self) -> float:
        """lambda."""
        return getattr(self, "lambda")

    def check(self, model: Startable, problem: Problem) -> None:
        """Two or more independent factors, and enough rows or columns."""
        shapes = model.factor_shapes(problem.shape)
        if not model.is_chain or len(shapes) < 2:
            raise misfit(
                ("init", "kind"), "A lambda_balanced start is one of a deep_matrix of depth 2 and more; use a gaussian."
            )
        (rows, width), (_, columns) = shapes[0], shapes[-1]
        side, name, sign = (rows, "rows", "positive") if self.imbalance > 0 else (columns, "columns", "negative")
        if self.imbalance and side < width:
            raise misfit(
                ("init", "lambda"),
                f"With a {sign} lambda the {name} must be at least as many as the hidden width, and are {side} "
                f"for {width}; narrow the model, or change the sign.",
            )

    def make(self, model: Startable, problem: Problem, seed: int) -> list[Factor]:
        stream, shapes = np.random.default_rng(seed), model.factor_shapes(problem.shape)
        depth, width = len(shapes), shapes[0][1]
        left, kept, right = np.linalg.svd(self.std * stream.standard_normal(tuple(problem.shape)))
        values = np.zeros(width)
        values[: len(kept)] = kept[:width]
        excess = _excess(values, self._offsets(depth))
        roots = [np.sqrt(excess + offset) for offset in self._offsets(depth)]
        rotations = [haar(stream, width, width) for _ in range(depth - 1)]
        first, last = _columns(left, width) * roots[0], roots[-1][:, None] * _columns(right.T, width).T
        between = [
            before @ (root[:, None] * after.T)
            for before, root, after in zip(rotations[:-1], roots[1:-1], rotations[1:], strict=True)
        ]
        return [first @ rotations[0].T, *between, rotations[-1] @ last]

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        return f"{self.std:.{digits}g} lambda {self.imbalance:.{digits}g}"

    def size(self, model: Startable, shape: Sequence[int]) -> Size:
        """The smallest factor, whose singular values are those of the product over those of all others."""
        depth = model.depth_of(shape)
        others = np.prod([max(abs(offset), 1e-300) ** 0.5 for offset in self._offsets(depth) if offset], initial=1.0)
        balanced = self.std ** (1 / depth)
        if self.imbalance and (unbalanced := float(self.std / others)) < balanced:
            return Size(("init", "std"), "a std", self.std, unbalanced)
        return Size(("init", "std"), "a std", self.std, balanced, depth)

    @property
    def may_be_balanced(self) -> bool:
        return self.imbalance == 0

    def _offsets(self, depth: int) -> list[float]:
        """D_j^2 - x of each factor, first to last."""
        steps = range(depth - 1, -1, -1) if self.imbalance > 0 else range(depth)
        return [step * abs(self.imbalance) for step in steps]


def _columns(orthogonal: Factor, count: int) -> Factor:
    """The first columns of a matrix, zeros where it has fewer."""
    padded = np.zeros((len(orthogonal), count))
    kept = orthogonal[:, :count]
    padded[:, : kept.shape[1]] = kept
    return padded


def _excess(values: Factor, offsets: Sequence[float]) -> Factor:
    """x with prod_j (x + offset_j) = value^2 for each value: Newton's method in ln x, monotone from above."""
    with np.errstate(divide="ignore"):
        goal, logs = 2 * np.log(values), np.log(np.array(offsets))[:, None]
    logarithm = np.where(values > 0, goal / len(offsets), -np.inf)
    for _ in range(MOST_STEPS):
        terms = np.logaddexp(logarithm, logs)
        with np.errstate(invalid="ignore"):
            step = (terms.sum(axis=0) - goal) / np.exp(logarithm - terms).sum(axis=0)
        after = np.where(values > 0, logarithm - step, -np.inf)
        if np.array_equal(after, logarithm):
            break
        logarithm = after
    return np.exp(logarithm)
