"""Predictions of the unobserved entry by laws of small losses, from a run's time and its learning rate.

Both laws hold for plain gradient descent in the basic 2 x 2 setting. They were derived for this project and checked
against runs; the tightness law is that of the gradient flow, which descent follows.
In d x d they hold to leading order in a large W00. From 3 x 3 to 10 x 10, runs of depth 3 to a loss of 1e-3 grew by the
law within 4 %. With learning rates up to 0.1 the loss first rose within 15 % of the predicted W00 at depths 3 and 4.
Other settings have no law, and neither have weight decay, batches, noise, nor factors that are frozen or have rates of
their own.

A mean square loss is 2 / m times the half sum over the m observations, so its descent is that of the half sum with
learning rate and time multiplied by 2 / m. The descent of U U^T is that of a balanced product of depth 2 whose factors
stay transposes of each other, with both multiplied by 2: its gradient is (S + S^T) U, theirs is S U, with S = dl/dW.
"""

from dataclasses import dataclass
from math import inf, isfinite

from workers.runs.losses import loss_weight
from workers.runs.noise import is_stochastic
from workers.runs.optimizers import DescentBase, GradientDescent, GradientFlow
from workers.runs.spec import RunSpec
from workers.runs.theory.settings import Setting


@dataclass(frozen=True)
class TightnessLaw:
    """Prediction of |W00| by its growth along the bound.

    Attributes:
        time: time of the prediction; for a descent, learning rate times steps.
        escape_time: assumed time to leave the start; 0, so the prediction is slightly too large.
        unobserved_entry: predicted |W00|.
    """

    time: float
    escape_time: float
    unobserved_entry: float


@dataclass(frozen=True)
class StabilityLimit:
    """The point where sharpness reaches 2 / learning rate, and descent can no longer follow the flow.

    Attributes:
        unobserved_entry: predicted size of the unobserved entry at that point.
        loss: predicted loss at that point, in the units of the run's loss.
    """

    unobserved_entry: float
    loss: float


def tightness_law(spec: RunSpec, setting: Setting, time: float) -> TightnessLaw | None:
    """|W00| = (2 (L + 1) t)^(L / (2 (L + 1))) at time t; None where the law does not apply."""
    depth = spec.depth
    if not _has_laws(spec, setting) or not isfinite(time):
        return None
    size = (2 * (depth + 1) * time * _pace(spec)) ** (depth / (2 * (depth + 1)))
    return TightnessLaw(time, 0.0, size)


def stability_limit(spec: RunSpec, setting: Setting) -> StabilityLimit | None:
    """|W00| = (2 / lr)^(L / (2 L - 2)), with a loss of 1 / (2 W00^2), since sharpness is about |W00|^(2 - 2/L).

    None for a flow or a schedule, where the law does not apply, and where it gives a |W00| below 1, at which losses are
    not small, or one that is infinite.
    """
    depth = spec.depth
    if spec.constant_learning_rate is None or not _has_laws(spec, setting):
        return None
    rate = spec.constant_learning_rate * _pace(spec)
    steepest = 2 / rate if rate > 0 else inf
    if not 1 < steepest < inf:
        return None
    size = steepest ** (depth / (2 * depth - 2))
    return StabilityLimit(size, loss_weight(spec) / 2 * steepest ** (-depth / (depth - 1)))


def _pace(spec: RunSpec) -> float:
    """The factor by which the laws multiply learning rate and time."""
    return loss_weight(spec) * (2.0 if spec.model.is_symmetric else 1.0)


def _has_laws(spec: RunSpec, setting: Setting) -> bool:
    plain = isinstance(spec.optimizer, GradientDescent | GradientFlow) and spec.depth > 1 and not spec.decays
    if isinstance(spec.optimizer, DescentBase):  # per-factor rates are those of another flow
        plain &= spec.optimizer.learning_rate_factors is None and spec.optimizer.frozen is None
    return plain and not is_stochastic(spec) and setting.kind in ("basic_2x2", "all_but_corner")
