"""Norms of components: of the product, and of the nodes of a tree, from the factors alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.lab.metrics.scaling import norm, vector_product
from workers.runs.contractions.invariants import Axis

MOST_COMPONENT_NORMS = 10


@dataclass(frozen=True, eq=False)
class Components:
    """Factors, and where their components are.

    Attributes:
        factors: (points, ...) each, first to last.
        axes: `component_axes` of the model.
    """

    factors: Sequence[Tensor]
    axes: Sequence[Sequence[Axis]]


def component_norms(factors: Sequence[Tensor], axes: Sequence[Axis]) -> Tensor:
    """prod over axes of the norm of slice r, the largest MOST_COMPONENT_NORMS first, (points, components)."""
    norms = vector_product(
        torch.stack([_norms_of_slices(factors[factor], dimension + 1) for factor, dimension in axes])
    )
    return norms.topk(min(MOST_COMPONENT_NORMS, norms.shape[1]), dim=1).values


def _norms_of_slices(factor: Tensor, dimension: int) -> Tensor:
    """Norms of the slices of factors (points, ...) along a dimension, (points, size)."""
    others = tuple(other for other in range(1, factor.ndim) if other != dimension)
    return norm(factor, others) if others else factor.abs()


FORMULAS: dict[str, Callable[[Components], Tensor]] = {
    "component_norms": lambda components: component_norms(components.factors, components.axes[-1]),
    "local_component_norms": lambda components: torch.cat(
        [component_norms(components.factors, node) for node in components.axes], dim=1
    ),
}
"""By the names of the catalogue, each (points, width)."""
