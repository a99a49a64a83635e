"""How far factors are from balance: the size of what a gradient flow conserves."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from workers.lab.metrics.scaling import LEAST_PRODUCT, norm, times_power, unit_of
from workers.lab.metrics.state import State
from workers.lab.models.base import maths_of


def balancedness_gap(state: State) -> Tensor:
    """The largest norm of what a gradient flow conserves, (points,); of chains that of `gap_of_chain`."""
    maths = maths_of(state.specs[0].model, state.specs[0].problem.shape)
    conserved = maths.conserved(state.factors)
    if conserved is None:
        return gap_of_chain(maths.chain(state.factors))
    return torch.stack([norm(quantity.flatten(1), (1,)) for quantity in conserved]).amax(dim=0)


FORMULAS: dict[str, Callable[[State], Tensor]] = {"balancedness_gap": balancedness_gap}
"""By the names of the catalogue, each (points,)."""


def gap_of_chain(factors: Sequence[Tensor]) -> Tensor:
    """max over j of ||F_j^T F_j - F_(j+1) F_(j+1)^T||_F (Arora, Cohen, Hazan 2018); needs two factors or more."""
    return torch.stack([_gap(left, right) for left, right in pairwise(factors)]).amax(dim=0)


def _gap(left: Tensor, right: Tensor) -> Tensor:
    """||A^T A - B B^T||_F, (points,); factors whose squares may have lost digits are scaled first, both alike."""
    plain = norm(left.mT @ left - right @ right.mT, (1, 2))
    lost = ~((plain >= LEAST_PRODUCT) & plain.isfinite())
    if not lost.any():
        return plain
    largest = torch.maximum(left.abs().amax(dim=(1, 2)), right.abs().amax(dim=(1, 2)))
    exponent = -unit_of(largest[:, None], (1,))[1]
    left, right = (times_power(factor, exponent[:, None, None]) for factor in (left, right))
    scaled = norm(left.mT @ left - right @ right.mT, (1, 2))
    return torch.where(lost, times_power(scaled, -2 * exponent), plain)
