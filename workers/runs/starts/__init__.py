"""Starts: the factors at which descent begins (the `init` of a spec), and how a seed generates them."""

from typing import Annotated

from pydantic import Field

from workers.runs.base import classes_by_kind
from workers.runs.starts.base import LABEL_DIGITS, Size, Startable, StartBase, StartError
from workers.runs.starts.drawn import Orthogonal, Uniform
from workers.runs.starts.fixed import Constant, Identity
from workers.runs.starts.gaussian import Gaussian
from workers.runs.starts.given import Explicit, OtherRun
from workers.runs.starts.lambda_balanced import LambdaBalanced
from workers.runs.starts.spectral import Spectral

__all__ = [
    "LABEL_DIGITS",
    "STARTS",
    "Explicit",
    "Gaussian",
    "OtherRun",
    "Size",
    "Start",
    "StartBase",
    "StartError",
    "Startable",
]

Start = Annotated[
    Gaussian | Identity | Explicit | Constant | Orthogonal | Uniform | Spectral | LambdaBalanced | OtherRun,
    Field(discriminator="kind"),
]

STARTS: dict[str, type[StartBase]] = classes_by_kind(Start)
"""The class of each kind."""
