"""Starts that draw nothing: multiples of the identity, and constants."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from workers.runs.base import Positive, misfit
from workers.runs.factors import Factor
from workers.runs.problems import Problem
from workers.runs.starts.base import LABEL_DIGITS, Size, Startable, StartBase, check_matrices


class Identity(StartBase, frozen=True):
    """Every factor is `scale` times the identity (ones on the main diagonal of a rectangular factor)."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "identity", "scale": 0.5}

    kind: Literal["identity"]
    scale: Positive

    def check(self, model: Startable, problem: Problem) -> None:
        """Components cannot start as identities: all of them would be alike."""
        if model.sums_components:
            raise misfit(("init", "kind"), "An identity start is one of deep_matrix; use a gaussian or explicit start.")
        check_matrices(self.kind, model, problem.shape)

    def make(self, model: Startable, problem: Problem, seed: int) -> list[Factor]:
        return [self.scale * np.eye(rows, columns) for rows, columns in model.factor_shapes(problem.shape)]

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        return f"{self.scale:.{digits}g} x identity"

    def size(self, model: Startable, shape: Sequence[int]) -> Size:
        return Size(("init", "scale"), "a scale", self.scale, self.scale)


class Constant(StartBase, frozen=True):
    """Every number of every factor is `value`: a product of matrices then has rank 1, and components are alike.

    `shape` is the imbalance s of a diagonal network whose factors go in pairs (Azulay and others 2021): the first of a
    pair is value sqrt((1 - s) / (1 + s)) and the second value sqrt((1 + s) / (1 - s)), so that their product stays.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "constant", "value": 0.5}

    kind: Literal["constant"]
    value: float
    shape: Annotated[float, Field(gt=-1, lt=1)] | None = None

    def check(self, model: Startable, problem: Problem) -> None:
        """An imbalance needs factors in pairs."""
        if self.shape is not None and model.imbalances(problem.shape) is None:
            raise misfit(
                ("init", "shape"),
                "The shape of a constant start is the imbalance of the two factors of a product, those of a diagonal "
                f"network of depth 2, and this {model.kind} has none; leave it out.",
            )

    def make(self, model: Startable, problem: Problem, seed: int) -> list[Factor]:
        shapes, signs = model.factor_shapes(problem.shape), model.imbalances(problem.shape)
        if self.shape is None or signs is None:
            return [np.full(factor, self.value) for factor in shapes]
        root = ((1 + self.shape) / (1 - self.shape)) ** 0.5
        return [np.full(factor, self.value * root**sign) for factor, sign in zip(shapes, signs, strict=True)]

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        imbalance = "" if self.shape is None else f", shape {self.shape:.{digits}g}"
        return f"constant {self.value:.{digits}g}{imbalance}"

    def size(self, model: Startable, shape: Sequence[int]) -> Size | None:
        """The value; 0 is meant to be 0."""
        value = abs(self.value)
        return Size(("init", "value"), "a value", value, value) if value else None
