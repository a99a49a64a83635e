"""The mathematics of each class of optimiser, and what a step of a batch takes as its gradient."""

from collections.abc import Sequence

from torch import Tensor

from workers.lab.disturbances import Disturbances
from workers.lab.models.base import build_model
from workers.lab.models.layout import FactorLayout
from workers.lab.models.maths import Gradient
from workers.lab.optimizers.base import Optimizer, OptimizerMaths
from workers.lab.optimizers.mirror import mirror_steps
from workers.lab.optimizers.of_matrices import MuonSteps, ScaledSteps, ShampooSteps
from workers.lab.optimizers.of_numbers import (
    AdamSteps,
    GradientDescentSteps,
    GroupRmspropSteps,
    LionSteps,
    MomentumSteps,
    RmspropSteps,
    SignumSteps,
)
from workers.lab.optimizers.sharpness_aware import SharpnessAwareGradient
from workers.lab.updates import (
    ADAM_UPDATE,
    DESCENT_UPDATE,
    GROUP_RMSPROP_UPDATE,
    LION_UPDATE,
    MOMENTUM_UPDATE,
    RMSPROP_UPDATE,
    SIGNUM_UPDATE,
)
from workers.runs import optimizers
from workers.runs.optimizers import OptimizerBase
from workers.runs.spec import RunSpec

__all__ = ["MATHS", "Optimizer", "OptimizerMaths", "build_gradient"]

MATHS: dict[type[OptimizerBase], OptimizerMaths] = {
    optimizers.GradientDescent: OptimizerMaths(GradientDescentSteps, DESCENT_UPDATE),
    optimizers.Momentum: OptimizerMaths(MomentumSteps, MOMENTUM_UPDATE),
    optimizers.Adam: OptimizerMaths(AdamSteps, ADAM_UPDATE),
    optimizers.GroupRmsprop: OptimizerMaths(GroupRmspropSteps, GROUP_RMSPROP_UPDATE),
    optimizers.Rmsprop: OptimizerMaths(RmspropSteps, RMSPROP_UPDATE),
    optimizers.Signum: OptimizerMaths(SignumSteps, SIGNUM_UPDATE),
    optimizers.Lion: OptimizerMaths(LionSteps, LION_UPDATE),
    optimizers.Muon: OptimizerMaths(MuonSteps),
    optimizers.Shampoo: OptimizerMaths(ShampooSteps),
    optimizers.ScaledGradientDescent: OptimizerMaths(ScaledSteps),
    optimizers.Sam: OptimizerMaths(GradientDescentSteps, gradient=SharpnessAwareGradient),
    optimizers.MirrorDescent: OptimizerMaths(mirror_steps),
}
"""The mathematics of each kind of optimiser that takes steps; a flow takes none."""


def build_gradient(
    specs: Sequence[RunSpec], layout: FactorLayout, gradient: Tensor, disturbances: Disturbances | None = None
) -> Gradient:
    """The loss of a batch whose specs share a batch key, and what its steps take as the gradient.

    Args:
        specs: of the runs, in order.
        layout, gradient: of their factors, and the vector (size,) where gradients are written.
        disturbances: see `workers.lab.models.base.build_model`.
    """
    model = build_model(specs, layout.blocks(gradient), disturbances)
    optimizers_of_runs = [spec.descent for spec in specs]
    around = MATHS[type(optimizers_of_runs[0])].gradient
    return model if around is None else around(optimizers_of_runs, layout, gradient, model)
