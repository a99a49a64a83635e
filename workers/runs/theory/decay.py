"""Weight decay: what it adds to the loss of a product, and where descent then comes to rest.

At a stationary point of loss + lambda / 2 sum ||F_j||^2 the factors are balanced, and their penalty is the least that
any factors of their product have: lambda L / 2 ||W||^(2/L) of Schatten 2/L, the sum of all singular values to the power
2/L (L = 2: Srebro, Rennie, Jaakkola 2004; any L: Shang, Liu, Cheng 2016; Jacot, Ged, Simsek, Hongler, Gabriel 2021).
Each singular value then obeys -u^T G v = mu = lambda sigma^(2/L - 1), with G = dl/dW.

Where all entries are observed, a singular value s of the target is kept as sigma with sigma - s + mu = 0, which has a
solution only for large enough s (`Thresholds`). In the basic 2 x 2 setting the stationary point of rank one has W01 =
W10 = 1 - mu^(2/3), W00 = mu^(-1/3) - mu^(1/3) and W11 = mu^(1/3) - mu, with sigma = mu^(-1/3) - mu: decay caps the norm
that descent without it drives up without bound. It is a saddle: a product with a positive determinant falls towards it,
and one with a negative determinant, however small, leaves it for a better fit with W00 = 0. A balanced flow keeps the
sign and stays; a descent stays until rounding has turned the sign. Both were derived for this project and checked
against runs.

A mean square loss has lambda over its weight in place of lambda. For U U^T, lambda is halved: one factor counts for
two. Decoupled decay has the stationary points of coupled decay under gradient descent, and of lambda (1 - beta) under
momentum; under adaptive optimisers it has others, and theory is silent. So it is of sharpness-aware minimisation, and
where batches or noise keep descent from coming to rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.runs.losses import loss_weight
from workers.runs.noise import is_stochastic
from workers.runs.optimizers import DescentBase, GradientDescent, Momentum, Sam
from workers.runs.spec import RunSpec
from workers.runs.theory.settings import Setting

Array = npt.NDArray[np.float64]

MOST_ITERATIONS = 10_000
"""Iterations for a singular value; they fall towards it, and end where they no longer do."""


@dataclass(frozen=True)
class Thresholds:
    """Of a target whose entries are all observed.

    Attributes:
        least_singular_value: a stationary product has no singular value between 0 and this.
        local_from: singular value of the target from which the objective has a local minimum that keeps it.
        global_from: singular value of the target from which keeping it has a lower objective than dropping it.
    """

    least_singular_value: float
    local_from: float
    global_from: float


@dataclass(frozen=True)
class StationaryPoint:
    """The stationary point of rank one in the basic 2 x 2 setting, by the sizes of its entries.

    Attributes:
        unobserved_entry: |W00|.
        beside: the observed entries beside it, 1 without decay.
        opposite: the observed entry diagonally opposite, 0 without decay.
    """

    unobserved_entry: float
    beside: float
    opposite: float


@dataclass(frozen=True)
class DecayLaw:
    """What weight decay does to a run.

    Attributes:
        schatten_exponent: 2 / L, the exponent of the singular values in the least penalty.
        least_penalty: the least penalty of the last recorded product; None where none is recorded.
        penalty: the penalty at the last recorded point; the least one at a stationary point.
        balancedness_factor: e^(-2 lambda t), what is left of the balancedness gaps of a flow at its last recorded time.
        thresholds: None unless all entries are observed, in a loss of squares.
        stationary_point: None outside the basic 2 x 2 setting, and where there is none but zero.
    """

    schatten_exponent: float
    least_penalty: float | None
    penalty: float | None
    balancedness_factor: float | None
    thresholds: Thresholds | None
    stationary_point: StationaryPoint | None


def columns_needed() -> tuple[str, ...]:
    """Columns of a trajectory that the law reads."""
    return ("time", "loss", "objective", "singular_values")


def decay_law(spec: RunSpec, setting: Setting | None, columns: Mapping[str, Array]) -> DecayLaw | None:
    """What theory says of a run's weight decay; None where it has none, or theory is silent.

    Args:
        setting: of the run's problem, None where theory knows none.
        columns: `columns_needed()` as arrays (points, ...).
    """
    weight = _effective_decay(spec)
    if weight is None:
        return None
    has_points = len(columns["loss"]) > 0
    depth, singular_values = spec.depth, columns["singular_values"][-1] if has_points else None
    entries = spec.problem.shape[0] * spec.problem.shape[1]
    are_all_observed = spec.problem.observes_entries and spec.problem.observation_count == entries
    has_thresholds = spec.loss.is_square and are_all_observed
    relative = weight / loss_weight(spec)
    is_basic = setting is not None and setting.kind == "basic_2x2" and depth > 1
    return DecayLaw(
        schatten_exponent=2 / depth,
        least_penalty=None if singular_values is None else least_penalty(weight, depth, singular_values),
        penalty=float(columns["objective"][-1] - columns["loss"][-1]) if has_points else None,
        balancedness_factor=float(np.exp(-2 * weight * columns["time"][-1])) if spec.is_flow and has_points else None,
        thresholds=thresholds(relative, depth) if has_thresholds else None,
        stationary_point=stationary_point(relative, depth) if is_basic else None,
    )


def limit_with_decay(spec: RunSpec, setting: Setting) -> float | None:
    """|W00| at which a run with weight decay rests while its determinant keeps its sign; 0 where it shrinks away.

    None where theory is silent: beyond the basic 2 x 2 setting, and for a single factor.
    """
    weight = _effective_decay(spec)
    if weight is None or setting.kind != "basic_2x2" or spec.depth == 1:
        return None
    point = stationary_point(weight / loss_weight(spec), spec.depth)
    return point.unobserved_entry if point else 0.0


def least_penalty(weight: float, depth: int, singular_values: Array) -> float:
    """lambda L / 2 times the sum of the singular values (n,) to the power 2 / L."""
    return float(weight * depth / 2 * np.sum(singular_values ** (2 / depth)))


def thresholds(weight: float, depth: int) -> Thresholds:
    """See `Thresholds`: where s = sigma + lambda sigma^(2/L - 1) is least, and where its objective is that of 0."""
    power = 2 / depth - 1
    if depth == 1:
        return Thresholds(0.0, 0.0, 0.0)
    fold = (weight * -power or 0.0) ** (1 / (1 - power))
    even = (weight * (depth - 2)) ** (1 / (1 - power))
    local, globally = (sigma + weight * sigma**power if sigma else weight for sigma in (fold, even))
    return Thresholds(fold, local, globally)


def stationary_point(weight: float, depth: int) -> StationaryPoint | None:
    """The stationary point of rank one with the largest singular value; None where zero is the only one.

    sigma = mu^(-1/3) - mu with mu = lambda sigma^(2/L - 1) grows in sigma on its right side, so iterations from above
    fall to its largest solution.
    """
    power = 2 / depth - 1

    def pull(sigma: float) -> float:
        return weight * sigma**power

    sigma = (weight ** (-1 / 3)) ** (1 / (1 + power / 3))  # of sigma = mu^(-1/3), which is larger
    for _ in range(MOST_ITERATIONS):
        lower = pull(sigma) ** (-1 / 3) - pull(sigma)
        if lower <= 0:
            return None
        if not lower < sigma:
            break
        sigma = lower
    mu = pull(sigma)
    return StationaryPoint(mu ** (-1 / 3) - mu ** (1 / 3), 1 - mu ** (2 / 3), mu ** (1 / 3) - mu) if mu < 1 else None


def _effective_decay(spec: RunSpec) -> float | None:
    """lambda of a product of `depth` factors with the stationary points of a run; None where theory is silent."""
    if not spec.decays or is_stochastic(spec) or not (spec.model.is_chain or spec.model.is_symmetric):
        return None
    optimizer, weight = spec.optimizer, spec.optimizer.weight_decay
    if isinstance(optimizer, DescentBase):
        if optimizer.frozen is not None:
            return None
        if isinstance(optimizer, Sam):  # comes to rest where the gradient nearby is 0
            return None
        if optimizer.decay == "decoupled" and not isinstance(optimizer, GradientDescent | Momentum):
            return None
        if optimizer.decay == "decoupled" and isinstance(optimizer, Momentum):
            weight *= 1 - optimizer.beta
    return weight / 2 if spec.model.is_symmetric else weight
