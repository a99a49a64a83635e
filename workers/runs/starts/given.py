"""Starts whose factors are given: written out, or those of another run."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Discriminator, Field, Tag

from workers.runs.base import Listed, Natural, check_tensor, misfit
from workers.runs.factors import Factor
from workers.runs.named import to_named
from workers.runs.problems import Problem
from workers.runs.shapes import Tensor
from workers.runs.starts.base import LABEL_DIGITS, Size, Startable, StartBase, StartError

Factors = Annotated[tuple[Tensor, ...], Listed, Field(min_length=1)]
NamedFactors = Annotated[dict[str, Tensor], Field(min_length=1), AfterValidator(to_named)]


def _list_or_object(value: Any) -> str:
    return "object" if isinstance(value, Mapping) else "list"


FactorsOrNamed = Annotated[
    Annotated[Factors, Tag("list")] | Annotated[NamedFactors, Tag("object")], Discriminator(_list_or_object)
]


class Explicit(StartBase, frozen=True):
    """The factors themselves, first to last, or by their names where the model gives them names."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "explicit", "factors": [[[0.3, 0.1], [-0.2, 0.4]]]}

    kind: Literal["explicit"]
    factors: FactorsOrNamed

    def check(self, model: Startable, problem: Problem) -> None:
        """Each factor needs numbers of its shape."""
        if isinstance(self.factors, dict):
            _check_names(self.factors, model, problem.shape)
        else:
            _check_factors(self.factors, model.factor_shapes(problem.shape))

    def make(self, model: Startable, problem: Problem, seed: int) -> list[Factor]:
        if isinstance(self.factors, dict):
            return _arrays([self.factors[name] for name in model.factor_names(problem.shape)])
        return _arrays(self.factors)

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        return self.kind

    def size(self, model: Startable, shape: Sequence[int]) -> Size | None:
        return _size(self.factors)


class OtherRun(StartBase, frozen=True):
    """The factors of another run, as they stand or at a step.

    They are read when the experiment is stored, and stored with this run: a spec that has them gives the same result
    whatever becomes of the other run. `step` is the one at which they were read.
    """

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "run",
        "id": "another",
        "step": 0,
        "factors": [[[0.3, 0.1], [-0.2, 0.4]]],
    }

    kind: Literal["run"]
    id: Annotated[str, Field(min_length=1, max_length=64)]
    step: Natural | None = None
    factors: Factors | None = None

    def check(self, model: Startable, problem: Problem) -> None:
        """Each factor needs numbers of its shape, once the other run was read."""
        if self.factors is not None:
            _check_factors(self.factors, model.factor_shapes(problem.shape))

    def make(self, model: Startable, problem: Problem, seed: int) -> list[Factor]:
        if self.factors is None:
            raise StartError(f"The factors of run {self.id} were not read; submit this spec to the service again.")
        return _arrays(self.factors)

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        return f"run {self.id[:8]}"

    def size(self, model: Startable, shape: Sequence[int]) -> Size | None:
        return None if self.factors is None else _size(self.factors)


def _arrays(factors: Sequence[Any]) -> list[Factor]:
    return [np.array(factor, dtype=np.float64) for factor in factors]


def _check_factors(factors: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise a misfit unless there are numbers of its shape for each factor."""
    if len(factors) != (count := len(shapes)):
        raise misfit(
            ("init", "factors"),
            f"The model has {count} factor{'s'[: count - 1]}, and {len(factors)} were given; give one for each.",
        )
    for number, (factor, shape) in enumerate(zip(factors, shapes, strict=True)):
        check_tensor(factor, shape, ("init", "factors", number))


def _check_names(factors: Mapping[str, Any], model: Startable, shape: Sequence[int]) -> None:
    """Raise a misfit unless each factor of the model, and nothing else, has numbers of its shape under its name."""
    names = model.factor_names(shape)
    for name in factors:
        if name not in names:
            raise misfit(("init", "factors", name), f"The model has no factor {name!r}; it has {', '.join(names)}.")
    for name, needed in zip(names, model.factor_shapes(shape), strict=True):
        if name not in factors:
            raise misfit(("init", "factors"), f"The factor {name!r} is missing; give its numbers.")
        check_tensor(factors[name], needed, ("init", "factors", name))


def _size(factors: Sequence[Any] | Mapping[str, Any]) -> Size | None:
    """The largest entry of the smallest factor; factors of zeros are meant to be zero."""
    items = factors.items() if isinstance(factors, Mapping) else enumerate(factors)
    largest = {key: float(np.abs(np.array(factor)).max()) for key, factor in items}
    sizes = [(size, key) for key, size in largest.items() if size > 0]
    if not sizes:
        return None
    least, key = min(sizes, key=lambda pair: pair[0])
    return Size(("init", "factors", key), "a largest entry", least, least)
