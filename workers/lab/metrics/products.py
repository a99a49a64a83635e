"""The product of recorded factors; where they multiply as matrices, intermediates stay in the range of floats."""

from collections.abc import Sequence

from torch import Tensor

from workers.lab.metrics.scaling import chain_product, sum_of_components
from workers.lab.models.base import maths_of
from workers.runs.spec import RunSpec


def product_of(spec: RunSpec, factors: Sequence[Tensor]) -> Tensor:
    """W as a matrix (points, rows, columns), a tensor reshaped by its halves."""
    if spec.model.sums_components:
        return sum_of_components(factors)
    return chain_product(maths_of(spec.model, spec.problem.shape).chain(factors))
