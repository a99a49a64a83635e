"""Starts that are drawn from a run's seed, and redrawn until the determinant has a sign."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from workers.runs.base import Positive, misfit
from workers.runs.factors import Factor, determinant_sign
from workers.runs.haar import haar
from workers.runs.problems import Problem
from workers.runs.starts.base import LABEL_DIGITS, Size, Startable, StartBase, StartError, check_matrices

DeterminantSign = Literal["any", "positive", "negative"]
SIGNS = {"positive": 1, "negative": -1}

MOST_REDRAWS = 1000
"""Draws of a start after which the search for a determinant sign is given up."""


class Drawn(StartBase, frozen=True):
    """Base of starts that are drawn; with a determinant sign, until the product's determinant has it."""

    determinant: DeterminantSign = "any"

    def check(self, model: Startable, problem: Problem) -> None:
        """A determinant sign needs a square product of full rank."""
        if self.determinant == "any":
            return
        if model.sums_components or not model.has_layers:
            raise misfit(("init", "determinant"), f"A {model.kind} is not drawn by its determinant; ask for 'any'.")
        self._check_determinant(model, problem.shape)

    def make(self, model: Startable, problem: Problem, seed: int) -> list[Factor]:
        """Factors drawn from a generator of this run alone, redrawn until the determinant has the requested sign."""
        stream = np.random.default_rng(seed)
        for _ in range(MOST_REDRAWS):
            factors = self.draw(model, problem, stream)
            if (
                self.determinant == "any"
                or determinant_sign(model.chain(factors, problem.shape)) == SIGNS[self.determinant]
            ):
                return factors
        raise StartError(
            f"No start with a {self.determinant} determinant was found in {MOST_REDRAWS} draws; "
            "ask for the sign 'any', another seed, or give explicit factors."
        )

    @abstractmethod
    def draw(self, model: Startable, problem: Problem, stream: np.random.Generator) -> list[Factor]:
        """Factors with either sign of their determinant."""

    def _check_determinant(self, model: Startable, shape: Sequence[int]) -> None:
        pointer, rows, columns = ("init", "determinant"), shape[0], shape[-1]
        if rows != columns:
            raise misfit(pointer, f"A {rows} x {columns} product has no determinant; ask for the sign 'any'.")
        if min(min(factor) for factor in model.factor_shapes(shape)) < rows:
            raise misfit(
                pointer,
                f"With a {model.width_name} below {rows} the determinant is always zero; "
                "widen the model or ask for 'any'.",
            )
        if model.is_symmetric and self.determinant == "negative":
            raise misfit(pointer, "U U^T never has a negative determinant; ask for 'any' or 'positive'.")


class Uniform(Drawn, frozen=True):
    """Independent entries, uniform between -scale and scale."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "uniform", "scale": 0.5}

    kind: Literal["uniform"]
    scale: Positive

    def draw(self, model: Startable, problem: Problem, stream: np.random.Generator) -> list[Factor]:
        return [self.scale * stream.uniform(-1.0, 1.0, shape) for shape in model.factor_shapes(problem.shape)]

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        return f"uniform to {self.scale:.{digits}g}"

    def size(self, model: Startable, shape: Sequence[int]) -> Size:
        return Size(("init", "scale"), "a scale", self.scale, self.scale)

    @property
    def may_be_balanced(self) -> bool:
        return False


class Orthogonal(Drawn, frozen=True):
    """Every factor is `scale` times a Haar matrix: orthonormal columns, or rows where the factor is wide.

    Square factors are balanced, and every singular value of their product is scale^L (Saxe, McClelland, Ganguli 2014).
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "orthogonal", "scale": 0.5}

    kind: Literal["orthogonal"]
    scale: Positive

    def check(self, model: Startable, problem: Problem) -> None:
        """Every factor needs to be a matrix."""
        check_matrices(self.kind, model, problem.shape)
        super().check(model, problem)

    def draw(self, model: Startable, problem: Problem, stream: np.random.Generator) -> list[Factor]:
        return [self.scale * haar(stream, *shape) for shape in model.factor_shapes(problem.shape)]

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        return f"{self.scale:.{digits}g} x orthogonal"

    def size(self, model: Startable, shape: Sequence[int]) -> Size:
        largest = max(max(factor) for factor in model.factor_shapes(shape))
        return Size(("init", "scale"), "a scale", self.scale, self.scale / largest**0.5)
