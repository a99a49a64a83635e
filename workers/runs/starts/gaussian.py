"""Gaussian starts."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Discriminator, Field, Tag

from workers.runs.base import ColumnOfNumbers, Listed, Positive, misfit
from workers.runs.factors import Factor
from workers.runs.problems import Problem
from workers.runs.starts.base import LABEL_DIGITS, Size, Startable
from workers.runs.starts.drawn import Drawn


def _number_or_list(value: Any) -> str:
    return "list" if isinstance(value, list | tuple) else "number"


OneOrEach = Annotated[
    Annotated[Positive, Tag("number")] | Annotated[tuple[Positive, ...], Listed, Field(min_length=1), Tag("list")],
    Discriminator(_number_or_list),
    ColumnOfNumbers,
]
"""A positive number, or a list of them: one for each factor."""


class Gaussian(Drawn, frozen=True):
    """Independent normal entries, per factor or so that the product's entries have standard deviation `std`.

    A list has a standard deviation for each factor. A balanced start draws the product and splits its singular value
    decomposition over the factors. With a determinant sign, starts are redrawn until the product's determinant has it.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "gaussian", "std": 0.5}

    kind: Literal["gaussian"]
    std: OneOrEach
    std_of: Literal["factor", "product"] = "factor"
    balanced: bool = False

    @property
    def common_std(self) -> float:
        """The standard deviation of a start that has a single one."""
        assert isinstance(self.std, float)
        return self.std

    def check(self, model: Startable, problem: Problem) -> None:
        """Components have neither balance nor determinant; a list is one of independent factors."""
        if self.balanced and (model.sums_components or not model.has_layers):
            raise misfit(("init", "balanced"), "Balanced starts are those of deep_matrix; leave balanced out here.")
        if isinstance(self.std, tuple):
            self._check_each(len(self.std), len(model.factor_shapes(problem.shape)))
        else:
            model.check_gaussian(self, problem.shape)
        super().check(model, problem)

    def draw(self, model: Startable, problem: Problem, stream: np.random.Generator) -> list[Factor]:
        if not isinstance(self.std, tuple):
            return model.draw(self, problem.shape, stream)
        shapes = model.factor_shapes(problem.shape)
        return [std * stream.standard_normal(shape) for std, shape in zip(self.std, shapes, strict=True)]

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        """The standard deviation, and the balance."""
        balance = "balanced" if self.balanced else "unbalanced"
        stds = self.std if isinstance(self.std, tuple) else (self.std,)
        std = ", ".join(f"{std:.{digits}g}" for std in stds)
        return f"{std} {balance}" if says_balance else std

    def size(self, model: Startable, shape: Sequence[int]) -> Size:
        if isinstance(self.std, tuple):
            least = min(self.std)
            return Size(("init", "std", self.std.index(least)), "a std", least, least)
        power = 1 if self.std_of == "factor" else model.depth_of(shape)
        return Size(("init", "std"), "a std", self.std, model.entry_std(self, shape), power)

    @property
    def may_be_balanced(self) -> bool:
        return self.balanced

    def _check_each(self, given: int, needed: int) -> None:
        if given != needed:
            raise misfit(
                ("init", "std"),
                f"The model has {needed} factor{'s'[: needed - 1]}, and {given} stds were given; give one for each.",
            )
        if self.balanced:
            raise misfit(("init", "balanced"), "The factors of a balanced start share their size; give a single std.")
        if self.std_of == "product":
            raise misfit(("init", "std_of"), "The std of the product is a single number; give one, or leave this out.")
