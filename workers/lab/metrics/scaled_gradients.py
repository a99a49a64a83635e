"""Norms of gradients whose factors multiply to numbers beyond the range of floats on the way.

The signal S = dl/dW is that of the product itself. By multilinearity the gradient in a scaled factor, with the same
signal, is the gradient in the factor times the scales of all the others: their exponents are added at the end.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.lab.metrics import scaling
from workers.lab.metrics.scaling import times_power, unit_of
from workers.lab.models.cp_tensor import ComponentGradient
from workers.lab.objectives import FixedSignal, Objective

Scaled = tuple[Tensor, Tensor]
"""Matrices (points, rows, columns) that lack a factor of 2 to an exponent, (points, 1, columns) or (points, 1, 1)."""

SIGNAL, FAR = 600, 300
"""Logarithms to the base 2: of squared signals, and of products of factors, beyond which digits may be lost."""

_NOTHING = -(2**40)
"""Exponent of zeros: below that of every number."""


def may_be_lost(factors: Sequence[Tensor], twice_loss: Tensor, most: float) -> Tensor:
    """Whether products of the sizes of factors, or the signal, are far from 1, (points,); a quick look.

    Args:
        twice_loss: (points,), about the square of the signal's size.
        most: logarithm to the base 2 of what is far.
    """
    sizes = torch.stack([factor.abs().amax(dim=(1, 2)) for factor in factors])
    logs = torch.where(sizes > 0, sizes, 1.0).log2()
    sums = torch.cat([logs.cumsum(dim=0), logs.flip(0).cumsum(dim=0)])
    return (sums.abs() > most).any(dim=0) | ~((twice_loss >= 2.0**-SIGNAL) & (twice_loss <= 2.0**SIGNAL))


def chain_is_lost(objective: Objective, factors: Sequence[Tensor]) -> Tensor:
    """Whether a product on the way to the gradient, forward or backward, loses digits, (points,)."""
    lost = factors[0].new_zeros(len(factors[0]), dtype=torch.bool)
    signal = _signal(objective, scaling.chain_product(factors))
    for chain in (list(factors[:-1]), [signal, *(factor.mT for factor in reversed(factors[1:]))]):
        for k in range(1, len(chain)):
            chain[k] = torch.bmm(chain[k - 1], chain[k])
            lost |= scaling.is_lost(chain[k])
    return lost


def chain_gradient_norm(objective: Objective, factors: Sequence[Tensor]) -> Tensor:
    """Norm of the gradient of a product of matrices (points, rows, columns) in all of them, (points,)."""
    last = len(factors) - 1
    signal, signal_exponent = unit_of(_signal(objective, scaling.chain_product(factors)), (1, 2))
    before = scaling.unit_chain(factors[:-1])
    after = scaling.unit_chain([factor.mT for factor in reversed(factors[1:])])
    gradients: list[Scaled] = []
    for j in range(len(factors)):
        gradient, exponent = signal, signal_exponent
        if j > 0:
            gradient, exponent = before[j - 1][0].mT @ gradient, exponent + before[j - 1][1]
        if j < last:
            gradient, exponent = gradient @ after[last - 1 - j][0], exponent + after[last - 1 - j][1]
        gradients.append((gradient, exponent[:, None, None]))
    return _norm(gradients)


def components_gradient_norm(objective: Objective, factors: Sequence[Tensor]) -> Tensor:
    """Norm of the gradient of a sum of components in all factors (points, dimension, rank), (points,)."""
    signal, signal_exponent = unit_of(_signal(objective, scaling.sum_of_components(factors)), (1, 2))
    units, exponents = zip(*(unit_of(factor, (1,)) for factor in factors), strict=True)
    gradient = [torch.empty_like(unit) for unit in units]
    ComponentGradient(FixedSignal(objective, signal), gradient).bind(units, signal.new_empty(len(signal), 1, 1))()
    total = torch.stack(exponents).sum(dim=0) + signal_exponent[:, None]
    return _norm([(part, (total - exponent)[:, None]) for part, exponent in zip(gradient, exponents, strict=True)])


def _signal(objective: Objective, product: Tensor) -> Tensor:
    return objective.pull_back(product, product.new_empty(len(product), 1, 1)).clone()


def _norm(gradients: Sequence[Scaled]) -> Tensor:
    """Root of the sum of squares of all numbers, (points,)."""
    columns = [unit_of(values, (1,)) for values, _ in gradients]  # (points, columns) exponents
    exponents = [
        torch.where((unit != 0).any(dim=1), further + exponent.squeeze(1), _NOTHING)
        for (unit, further), (_, exponent) in zip(columns, gradients, strict=True)
    ]
    largest = torch.cat(exponents, dim=1).amax(dim=1, keepdim=True)
    squares = [
        times_power(unit, (exponent - largest)[:, None]).square().sum(dim=(1, 2))
        for (unit, _), exponent in zip(columns, exponents, strict=True)
    ]
    return times_power(torch.stack(squares).sum(dim=0).sqrt(), largest[:, 0])
