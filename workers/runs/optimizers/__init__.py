"""Optimisers: how a step follows from the gradient, or the flow that is the limit of small steps."""

from typing import Annotated

from pydantic import Field

from workers.runs.base import classes_by_kind
from workers.runs.optimizers.base import TIME_SCALARS, Decay, DescentBase, OptimizerBase
from workers.runs.optimizers.flow import GradientFlow
from workers.runs.optimizers.mirror import MirrorDescent
from workers.runs.optimizers.of_matrices import Muon, ScaledGradientDescent, Shampoo
from workers.runs.optimizers.of_numbers import Adam, GradientDescent, GroupRmsprop, Lion, Momentum, Rmsprop, Signum
from workers.runs.optimizers.sharpness_aware import Sam

Optimizer = Annotated[
    GradientDescent
    | Momentum
    | Adam
    | GroupRmsprop
    | Rmsprop
    | Signum
    | Lion
    | Muon
    | Shampoo
    | ScaledGradientDescent
    | Sam
    | MirrorDescent
    | GradientFlow,
    Field(discriminator="kind"),
]

OPTIMIZERS: dict[str, type[OptimizerBase]] = classes_by_kind(Optimizer)
"""The class of each kind."""

__all__ = [
    "OPTIMIZERS",
    "TIME_SCALARS",
    "Adam",
    "Decay",
    "DescentBase",
    "GradientDescent",
    "GradientFlow",
    "GroupRmsprop",
    "Lion",
    "MirrorDescent",
    "Momentum",
    "Muon",
    "Optimizer",
    "OptimizerBase",
    "Rmsprop",
    "Sam",
    "ScaledGradientDescent",
    "Shampoo",
    "Signum",
]
