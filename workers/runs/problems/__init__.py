"""Problems: observations of the matrix or tensor that descent is to fit (indices count from 0)."""

from typing import Annotated

from pydantic import Field

from workers.runs.base import classes_by_kind
from workers.runs.problems.base import LinearMeasurements, Observations, ObservedEntries, ProblemBase
from workers.runs.problems.completion import Completion
from workers.runs.problems.corner import AllButCorner, Perturbed2x2
from workers.runs.problems.low_rank import LowRank, LowRankCompletion, LowRankSensing
from workers.runs.problems.regression import RandomRegression, Regression
from workers.runs.problems.sensing import Sensing

__all__ = ["PROBLEMS", "LinearMeasurements", "LowRank", "Observations", "ObservedEntries", "Problem"]

Problem = Annotated[
    Perturbed2x2
    | AllButCorner
    | Completion
    | Sensing
    | LowRankCompletion
    | LowRankSensing
    | Regression
    | RandomRegression,
    Field(discriminator="kind"),
]
PROBLEMS: dict[str, type[ProblemBase]] = classes_by_kind(Problem)
"""The class of each kind."""
