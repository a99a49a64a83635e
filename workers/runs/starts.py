"""Starts: where the factors are when descent begins (the `init` of a spec)."""

from typing import Annotated, Literal

from pydantic import Field

from workers.runs.base import Listed, Positive, SpecModel
from workers.runs.problems import Matrix

DeterminantSign = Literal["any", "positive", "negative"]


class Gaussian(SpecModel, frozen=True):
    """Independent normal entries, per factor or so that the product's entries have standard deviation `std`.

    A balanced start draws the product and splits its singular value decomposition over the factors. With a determinant
    sign, starts are redrawn until the product's determinant has it.
    """

    kind: Literal["gaussian"]
    std: Positive
    std_of: Literal["factor", "product"] = "factor"
    balanced: bool = False
    determinant: DeterminantSign = "any"


class Identity(SpecModel, frozen=True):
    """Every factor is `scale` times the identity (ones on the main diagonal of a rectangular factor)."""

    kind: Literal["identity"]
    scale: Positive


class Explicit(SpecModel, frozen=True):
    """The factors themselves, first to last."""

    kind: Literal["explicit"]
    factors: Annotated[tuple[Matrix, ...], Listed, Field(min_length=1)]


Start = Annotated[Gaussian | Identity | Explicit, Field(discriminator="kind")]
