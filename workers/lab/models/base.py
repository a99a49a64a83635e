"""The mathematics of each class of model, and the loss and gradient of a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.lab.disturbances import Disturbances
from workers.lab.models.contraction import ContractionMaths
from workers.lab.models.cp_tensor import CpTensorMaths
from workers.lab.models.deep_matrix import DeepMatrixMaths
from workers.lab.models.maths import Gradient, ModelMaths
from workers.lab.models.native_components import NativeSparseGradient
from workers.lab.models.solved import SolvedMaths
from workers.lab.models.sparse_components import SparseComponentGradient
from workers.lab.models.symmetric_matrix import SymmetricMatrixMaths
from workers.lab.native.components import is_available
from workers.lab.objectives import build_objective
from workers.lab.sparse_objectives import SparseEntryObjective
from workers.runs.costs import observes_few_entries
from workers.runs.models import MODELS
from workers.runs.models.base import ModelBase
from workers.runs.models.cp_tensor import CpTensor
from workers.runs.models.deep_matrix import DeepMatrix
from workers.runs.models.resolved import ResolvedModel
from workers.runs.models.symmetric_matrix import SymmetricMatrix
from workers.runs.spec import RunSpec

MATHS: dict[type[ModelBase], type[ModelMaths]] = {
    DeepMatrix: DeepMatrixMaths,
    SymmetricMatrix: SymmetricMatrixMaths,
    CpTensor: CpTensorMaths,
    **{kind: ContractionMaths for kind in MODELS.values() if issubclass(kind, ResolvedModel)},
    **dict.fromkeys((model for model in MODELS.values() if not model.is_trained), SolvedMaths),
}
"""The mathematics of each kind of model; forms of a contraction all have that of the contraction."""


def maths_of(model: ModelBase, shape: Sequence[int]) -> ModelMaths:
    """The mathematics of a model of a problem's shape."""
    return MATHS[type(model)](model, shape)


def build_model(
    specs: Sequence[RunSpec], gradient: Sequence[Tensor], disturbances: Disturbances | None = None
) -> Gradient:
    """The loss and gradient of a batch whose specs share a batch key.

    Args:
        specs: of the runs, in order.
        gradient: (runs, ...) per factor, where gradients are written; its type and device are those of the
            evaluation.
        disturbances: of the gradient; without any it is that of the loss.
    """
    dtype, device = gradient[0].dtype, gradient[0].device
    if observes_few_entries(specs[0]):
        few = NativeSparseGradient if is_available(dtype, device) else SparseComponentGradient
        sparse = SparseEntryObjective(specs, dtype, device)
        if disturbances is not None:
            sparse.disturb(disturbances)
        return few(sparse, gradient)
    objective = build_objective(specs, dtype, torch.device(device), disturbances)
    return maths_of(specs[0].model, specs[0].problem.shape).gradient(objective, gradient)
