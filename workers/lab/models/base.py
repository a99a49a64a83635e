"""The mathematics of each class of model, and the loss and gradient of a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.lab.models.cp_tensor import CpTensorMaths
from workers.lab.models.deep_matrix import DeepMatrixMaths
from workers.lab.models.maths import Gradient, ModelMaths
from workers.lab.models.native_components import NativeSparseGradient
from workers.lab.models.solved import SolvedMaths
from workers.lab.models.sparse_components import SparseComponentGradient
from workers.lab.models.symmetric_matrix import SymmetricMatrixMaths
from workers.lab.native.components import is_available
from workers.lab.objectives import Objective, build_objective
from workers.lab.sparse_objectives import SparseEntryObjective
from workers.runs.costs import observes_few_entries
from workers.runs.models import MODELS
from workers.runs.models.base import ModelBase
from workers.runs.models.cp_tensor import CpTensor
from workers.runs.models.deep_matrix import DeepMatrix
from workers.runs.models.symmetric_matrix import SymmetricMatrix
from workers.runs.spec import RunSpec

MATHS: dict[type[ModelBase], ModelMaths] = {
    DeepMatrix: DeepMatrixMaths(),
    SymmetricMatrix: SymmetricMatrixMaths(),
    CpTensor: CpTensorMaths(),
    **dict.fromkeys((model for model in MODELS.values() if not model.is_trained), SolvedMaths()),
}
"""The mathematics of each kind of model."""


def build_model(specs: Sequence[RunSpec], gradient: Sequence[Tensor]) -> Gradient:
    """The loss and gradient of a batch whose specs share a batch key.

    Args:
        specs: of the runs, in order.
        gradient: (runs, rows, columns) per factor, where gradients are written; its type and device are those of the
            evaluation.
    """
    dtype, device = gradient[0].dtype, gradient[0].device
    if observes_few_entries(specs[0]):
        few = NativeSparseGradient if is_available(dtype, device) else SparseComponentGradient
        return few(SparseEntryObjective(specs, dtype, device), gradient)
    objective = build_objective(specs, dtype, torch.device(device))
    return gradient_of(specs[0].model, objective, gradient)


def gradient_of(model: ModelBase, objective: Objective, gradient: Sequence[Tensor]) -> Gradient:
    """The loss and gradient of full products, on an objective; see `build_model`."""
    return MATHS[type(model)].gradient(objective, gradient)


def product_of(model: ModelBase, factors: Sequence[Tensor]) -> Tensor:
    """W as a matrix (runs, rows, columns), a tensor reshaped by its halves; differentiable."""
    return MATHS[type(model)].product(factors)


def chain_of(model: ModelBase, factors: Sequence[Tensor]) -> list[Tensor]:
    """Matrices (runs, rows, columns) whose product, first to last, is W; only for a W of order 2."""
    return MATHS[type(model)].chain(factors)
