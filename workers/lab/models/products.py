"""The product of any model, and the matrices that it is the product of."""

from collections.abc import Sequence

from torch import Tensor

from workers.lab.models import cp_tensor, deep_matrix, symmetric_matrix
from workers.runs.models import CpTensor, Model, SymmetricMatrix


def product_of(model: Model, factors: Sequence[Tensor]) -> Tensor:
    """W as a matrix (runs, rows, columns), that of a tensor reshaped by its halves; differentiable."""
    match model:
        case CpTensor():
            return cp_tensor.product(factors)
        case SymmetricMatrix():
            return symmetric_matrix.product(factors)
        case _:
            return deep_matrix.product(factors)


def chain_of(model: Model, factors: Sequence[Tensor]) -> list[Tensor]:
    """Matrices (runs, rows, columns) whose product, first to last, is the W of a model of order 2."""
    match model:
        case CpTensor():
            return [factors[0], factors[1].mT.contiguous()]
        case SymmetricMatrix():
            return [factors[0], factors[0].mT.contiguous()]
        case _:
            return list(factors)
