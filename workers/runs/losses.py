"""Losses: how far a product is from its observations, as a single number.

Every loss is w times a sum over the observations: of phi(r), with r = f - y the residual of an observation y predicted
as f, or of phi(y f) where y is a label, 1 or -1. The mathematics of each class is in `workers.lab.losses`.
"""

from abc import ABC
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field, model_serializer, model_validator

from workers.runs.base import Positive, SpecModel, classes_by_kind, misfit
from workers.runs.observations import first_without_label, held_out
from workers.runs.problems import Problem

if TYPE_CHECKING:
    from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]


class LossBase(SpecModel, ABC, frozen=True):
    """Base of all kinds of loss: the mean over the observations, unless a kind says otherwise.

    Class attributes:
        example: a small valid loss of this kind, as JSON values.
        is_square: whether phi(r) is r^2 / 2, so that theory made for squared residuals applies.
        takes_labels: whether the observed values are labels, 1 or -1.
        parameter: the field that phi depends on, if there is one; runs of a batch may differ in it.
        multiply_adds: cost of phi and of its slope per observation, in multiply-adds.
        working_numbers: numbers that an evaluation keeps in memory per observation, beyond the residual and the weight.
    """

    example: ClassVar[Mapping[str, Any]]
    is_square: ClassVar[bool] = False
    takes_labels: ClassVar[bool] = False
    parameter: ClassVar[str | None] = None
    multiply_adds: ClassVar[int] = 5
    working_numbers: ClassVar[int] = 8

    @property
    def is_lipschitz(self) -> bool:
        """Whether the slope of phi is Lipschitz continuous near every point, as a gradient_flow needs it."""
        return True

    def weight(self, observations: int) -> float:
        """The weight w of each observation."""
        return 1.0 / observations

    def targets(self, values: Array) -> Array:
        """What is subtracted from predictions, of the observed values: these themselves, or 0 where they are labels."""
        return np.zeros_like(values) if self.takes_labels else values

    def weights(self, values: Array, observations: int) -> Array:
        """Weights of observed values, with the sign by which phi's argument is multiplied: that of a label, else 1."""
        return self.weight(observations) * (values if self.takes_labels else np.ones_like(values))

    def check(self, problem: Problem) -> None:
        """Raise a misfit, pointing into the run, where an observed or held-out value should be a label and is none.

        Nothing is drawn for it: a problem that draws its values may be larger than any limit, and has no labels.
        """
        if not self.takes_labels:
            return
        advice = f"With the loss {self.example['kind']} observed values are labels: give 1 or -1, nothing else."
        if not problem.can_be_labels:
            raise misfit(("problem",), f"{advice} Those of this kind of problem are others; list them in `completion`.")
        if (number := first_without_label(problem)) is not None:
            listed = (problem.listed_in, number, "value") if problem.listed_in else ()
            raise misfit(("problem", *listed), advice)
        others: Any = held_out(problem)
        if others is not None and (number := first_without_label(others)) is not None:
            listed = (number, "value") if problem.listed_in else ("outputs",)
            raise misfit(("problem", "held_out", *listed), advice)


class SquareLoss(LossBase, ABC, frozen=True):
    """Base of losses of squared residuals, which are written as their name alone."""

    is_square: ClassVar[bool] = True
    multiply_adds: ClassVar[int] = 1
    working_numbers: ClassVar[int] = 0

    @model_serializer
    def name(self) -> str:
        """The name, as specs are stored."""
        return self.example["kind"]


class HalfSse(SquareLoss, frozen=True):
    """Half the sum of squared residuals, 1/2 sum r^2."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "half_sse"}

    kind: Literal["half_sse"]

    def weight(self, observations: int) -> float:
        return 1.0


class Mse(SquareLoss, frozen=True):
    """The mean of squared residuals, r^2."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "mse"}

    kind: Literal["mse"]

    def weight(self, observations: int) -> float:
        return 2.0 / observations


class L1(LossBase, frozen=True):
    """The mean of |r|; where r is 0, its slope counts as 0 and its curvature everywhere."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "l1"}
    multiply_adds: ClassVar[int] = 3

    kind: Literal["l1"]

    @property
    def is_lipschitz(self) -> bool:
        """The slope jumps where r changes sign."""
        return False


class Huber(LossBase, frozen=True):
    """The mean of r^2 / 2 up to |r| = delta, and of delta (|r| - delta / 2) beyond (Huber 1964)."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "huber", "delta": 0.5}
    parameter: ClassVar[str] = "delta"

    kind: Literal["huber"]
    delta: Positive


class Lp(LossBase, frozen=True):
    """The mean of |r|^p / p, p > 1 (Arora, Cohen, Hazan 2018, section 3)."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "lp", "p": 4.0}
    parameter: ClassVar[str] = "p"
    multiply_adds: ClassVar[int] = 7

    kind: Literal["lp"]
    p: float

    @property
    def is_lipschitz(self) -> bool:
        """For p < 2 the curvature is infinite at r = 0."""
        return self.p >= 2

    @model_validator(mode="after")
    def _p_is_above_one(self) -> Self:
        if self.p <= 1:
            raise misfit(("p",), "Give a p above 1; for p = 1 there is the loss l1.")
        return self


class Logistic(LossBase, frozen=True):
    """The mean of ln(1 + exp(-y f)), of predictions f of labels y."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "logistic"}
    takes_labels: ClassVar[bool] = True
    multiply_adds: ClassVar[int] = 7

    kind: Literal["logistic"]


class Exponential(LossBase, frozen=True):
    """The mean of exp(-y f), of predictions f of labels y."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "exponential"}
    takes_labels: ClassVar[bool] = True

    kind: Literal["exponential"]


Kinds = Annotated[HalfSse | Mse | L1 | Huber | Lp | Logistic | Exponential, Field(discriminator="kind")]

LOSSES: dict[str, type[LossBase]] = classes_by_kind(Kinds)
"""The class of each kind."""

NAMES = tuple(kind for kind, loss in LOSSES.items() if loss.parameter is None)
"""Kinds that may be given by their name alone."""


def _by_name(loss: Any) -> Any:
    """A name as the object that it stands for."""
    if not isinstance(loss, str):
        return loss
    if loss in NAMES:
        return {"kind": loss}
    if loss in LOSSES:
        raise misfit((), f'Give the {LOSSES[loss].parameter} of {loss}, as in {{"kind": "{loss}", ...}}.')
    raise misfit((), f"There is no loss {loss!r}; take one of {', '.join(LOSSES)}.")


Loss = Annotated[Kinds, BeforeValidator(_by_name, json_schema_input_type=Literal[*NAMES] | Kinds)]
"""A loss as a spec has it: a name, or an object with its kind."""


def loss_weight(spec: "RunSpec") -> float:
    """The weight w of each observation in a run's loss."""
    return spec.loss.weight(spec.problem.observation_count)
