"""The mathematics of each class of loss: phi, its slope and its curvature (`workers.runs.losses`).

phi is taken of the residual, or of a label times its prediction, of every observation by itself. Torch rounds some
functions differently in the vectorised part of a loop and in its remainder. They are therefore taken of whole vectors,
so that an observation's loss does not depend on how many others stand beside it.

Each class has its text for the fused engine, too, entry by entry.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import torch
from torch import Tensor

from workers.runs import losses
from workers.runs.losses import LossBase

Pointwise = Callable[[Tensor, Tensor], Tensor]
"""A function of arguments, and of parameters that broadcast against them."""

WHOLE_VECTORS = 64
"""Numbers in a whole number of vectors, and of pairs of vectors, of every processor and precision."""


@dataclass(frozen=True)
class FusedLoss:
    """A loss as C++ for the fused engine, entry by entry.

    Attributes:
        statements: from $residual and $weight, by whose sign phi's argument is multiplied, to `pulled`, the loss's
            derivative in the entry, and to `left` and `right`, whose product is twice the entry's part of the loss.
            They read a field of the loss by its name after `loss_`.
        functions: names of the functions that they call (`workers.lab.native.functions`).
        constants: fields of the loss that the statements read.
    """

    statements: str
    functions: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()


@dataclass(frozen=True)
class LossMaths:
    """phi of one kind of loss.

    Attributes:
        value: phi.
        slope: its first derivative.
        curvature: its second derivative.
        fused: the same for the fused engine.
    """

    value: Pointwise
    slope: Pointwise
    curvature: Pointwise
    fused: FusedLoss


def padded(size: int) -> int:
    """The least multiple of WHOLE_VECTORS that is at least `size`."""
    return size + -size % WHOLE_VECTORS


def in_whole_vectors(function: Pointwise) -> Pointwise:
    """The function, taken of vectors (numbers,) that are whole: others are flattened, and padded with ones."""

    @wraps(function)
    def padded_function(arguments: Tensor, parameters: Tensor) -> Tensor:
        shape, count = arguments.shape, arguments.numel()
        if shape == parameters.shape == (padded(count),):
            return function(arguments, parameters)
        flat = arguments.new_ones(2, padded(count))
        flat[0, :count] = arguments.flatten()
        flat[1, :count] = parameters.expand(shape).flatten()
        return function(flat[0], flat[1])[:count].view(shape)

    return padded_function


SQUARES = LossMaths(
    value=lambda residual, _: residual.square() / 2,
    slope=lambda residual, _: residual.clone(),
    curvature=lambda residual, _: torch.ones_like(residual),
    fused=FusedLoss("const V pulled = $weight * $residual, left = pulled, right = $residual;"),
)
"""r^2 / 2."""

_ARGUMENT = """
const V scale = $weight, sign = sign_of(scale), argument = $residual * sign, left = scale * sign;
"""

ABSOLUTE = LossMaths(
    value=lambda residual, _: residual.abs(),
    slope=lambda residual, _: residual.sign(),
    curvature=lambda residual, _: torch.zeros_like(residual),
    fused=FusedLoss(
        _ARGUMENT + "const V slope = sign_of(argument), pulled = scale * slope, right = V(T(2)) * slope * argument;"
    ),
)
"""|r|."""


def _clipped(residual: Tensor, delta: Tensor) -> Tensor:
    return residual.maximum(-delta).minimum(delta)


def _huber(residual: Tensor, delta: Tensor) -> Tensor:
    clipped = _clipped(residual, delta)
    return clipped * (residual - clipped / 2)


HUBER = LossMaths(
    value=_huber,
    slope=_clipped,
    curvature=lambda residual, delta: (residual.abs() <= delta).to(residual.dtype),
    fused=FusedLoss(
        _ARGUMENT
        + """
const V high = argument > loss_delta ? loss_delta : argument, slope = high < -loss_delta ? -loss_delta : high;
const V pulled = scale * slope, right = slope * (argument + (argument - slope));
""",
        constants=("delta",),
    ),
)
"""r^2 / 2 up to |r| = delta, delta (|r| - delta / 2) beyond: c (r - c / 2) with c the clipped r."""

POWER = LossMaths(
    value=in_whole_vectors(lambda residual, p: residual.abs().pow(p) / p),
    slope=in_whole_vectors(lambda residual, p: residual.abs().pow(p - 1).copysign(residual)),
    curvature=in_whole_vectors(lambda residual, p: (p - 1) * residual.abs().pow(p - 2)),
    fused=FusedLoss(
        _ARGUMENT
        + """
const V size = argument * sign_of(argument), power = power_of(size, loss_p - V(T(1)));
const V pulled = scale * power * sign_of(argument), right = V(T(2)) * power * (size / loss_p);
""",
        functions=("power_of",),
        constants=("p",),
    ),
)
"""|r|^p / p; the curvature at r = 0 is infinite for p < 2."""


def _small(argument: Tensor) -> Tensor:
    """exp(-|z|), which neither overflows nor loses digits where 1 + exp(z) would."""
    return argument.abs().neg().exp()


def _logistic_slope(argument: Tensor) -> Tensor:
    """-1 / (1 + exp(z)): the exponential is the small one on either side."""
    small = _small(argument)
    return -torch.where(argument > 0, small, 1.0) / (1 + small)


LOGISTIC = LossMaths(
    value=in_whole_vectors(lambda argument, _: argument.clamp(max=0).neg() + _small(argument).log1p()),
    slope=in_whole_vectors(lambda argument, _: _logistic_slope(argument)),
    curvature=in_whole_vectors(lambda argument, _: _small(argument) / (1 + _small(argument)).square()),
    fused=FusedLoss(
        _ARGUMENT
        + """
const V nothing = V(T(0)), unit = V(T(1)), size = argument * sign_of(argument), small = exp_of(-size);
const V slope = -((argument > nothing ? small : unit) / (unit + small)), pulled = scale * slope;
const V right = V(T(2)) * (log1p_of(small) + (argument < nothing ? size : nothing));
""",
        functions=("exp_of", "log1p_of"),
    ),
)
"""ln(1 + exp(-z))."""

EXPONENTIAL = LossMaths(
    value=in_whole_vectors(lambda argument, _: argument.neg().exp()),
    slope=in_whole_vectors(lambda argument, _: argument.neg().exp().neg()),
    curvature=in_whole_vectors(lambda argument, _: argument.neg().exp()),
    fused=FusedLoss(
        _ARGUMENT + "const V value = exp_of(-argument), pulled = -scale * value, right = V(T(2)) * value;",
        functions=("exp_of",),
    ),
)
"""exp(-z)."""

MATHS: dict[type[LossBase], LossMaths] = {
    losses.HalfSse: SQUARES,
    losses.Mse: SQUARES,
    losses.L1: ABSOLUTE,
    losses.Huber: HUBER,
    losses.Lp: POWER,
    losses.Logistic: LOGISTIC,
    losses.Exponential: EXPONENTIAL,
}
"""The mathematics of each kind of loss."""


def maths_of(loss: LossBase) -> LossMaths:
    """The mathematics of a loss."""
    return MATHS[type(loss)]


def parameter_of(loss: LossBase) -> float:
    """The parameter of a loss; 1 for a kind without one, whose functions do not look at it."""
    return 1.0 if loss.parameter is None else getattr(loss, loss.parameter)
