"""Predictions: where a run should be by the laws of small losses, from its time and its learning rate.

Both laws are for plain gradient descent in the basic 2 x 2 setting, derived for this project and checked against runs;
the tightness law is that of the gradient flow, which descent follows.
In d x d they are the same to leading order in a large W00: from 3 x 3 to 10 x 10, runs of depth 3 to a loss of 1e-3
grew by the law within 4 %, and with learning rates up to 0.1 the loss first rose within 15 % of the predicted W00 at
depths 3 and 4. Elsewhere there is no law here.

A loss that is the mean square is 2 / m times the half sum over the m observations, so its descent is that of the half
sum with the learning rate, and the time, multiplied by 2 / m. The descent of U U^T is that of a balanced product of
depth 2 whose factors stay transposes of each other, with both multiplied by 2: its gradient is (S + S^T) U where theirs
is S U, with S = dl/dW.
"""

from dataclasses import dataclass
from math import isfinite

from workers.runs.losses import loss_weight
from workers.runs.optimizers import GradientDescent, GradientFlow
from workers.runs.spec import RunSpec
from workers.runs.theory.settings import Setting


@dataclass(frozen=True)
class TightnessLaw:
    """|W00| by its growth along the bound.

    Attributes:
        time: at which it is predicted, learning rate times steps of a descent.
        escape_time: the time to leave the start that is assumed; 0, so the prediction is a little large.
        unobserved_entry: the predicted size.
    """

    time: float
    escape_time: float
    unobserved_entry: float


@dataclass(frozen=True)
class StabilityLimit:
    """Where sharpness meets 2 / learning rate, and descent can no longer follow the flow.

    Attributes:
        unobserved_entry: predicted size of the unobserved entry there.
        loss: predicted loss there, in the run's own loss.
    """

    unobserved_entry: float
    loss: float


def tightness_law(spec: RunSpec, setting: Setting, time: float) -> TightnessLaw | None:
    """|W00| = (2 (L + 1) t)^(L / (2 (L + 1))) at time t, None where the law does not apply."""
    depth = spec.depth
    if not _has_laws(spec, setting) or not isfinite(time):
        return None
    size = (2 * (depth + 1) * time * _pace(spec)) ** (depth / (2 * (depth + 1)))
    return TightnessLaw(time, 0.0, size)


def stability_limit(spec: RunSpec, setting: Setting) -> StabilityLimit | None:
    """Sharpness is about |W00|^(2 - 2/L): 2 / lr at |W00| = (2 / lr)^(L / (2 L - 2)), with a loss of 1 / (2 W00^2).

    None for a flow, where the law does not apply, or would apply only at |W00| below 1, where losses are not small.
    """
    depth = spec.depth
    if spec.is_flow or not _has_laws(spec, setting):
        return None
    steepest = 2 / (spec.learning_rate * _pace(spec))
    if steepest <= 1:
        return None
    size = steepest ** (depth / (2 * depth - 2))
    return StabilityLimit(size, loss_weight(spec) / 2 * steepest ** (-depth / (depth - 1)))


def _pace(spec: RunSpec) -> float:
    """By how much learning rate and time are multiplied in the laws."""
    return loss_weight(spec) * (2.0 if spec.model.is_symmetric else 1.0)


def _has_laws(spec: RunSpec, setting: Setting) -> bool:
    plain = isinstance(spec.optimizer, GradientDescent | GradientFlow) and spec.depth > 1
    return plain and setting.kind in ("basic_2x2", "all_but_corner")
