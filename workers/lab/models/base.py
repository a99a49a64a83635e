"""What an engine asks of a model: the loss and the gradient of a batch at states whose places in memory are known."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from workers.lab.models.cp_tensor import ComponentGradient
from workers.lab.models.deep_matrix import DeepMatrixGradient
from workers.lab.models.sparse_components import SparseComponentGradient
from workers.lab.models.symmetric_matrix import SymmetricGradient
from workers.lab.objectives import Objective, build_objective
from workers.lab.sparse_objectives import SparseEntryObjective
from workers.runs import models
from workers.runs.costs import observes_few_entries
from workers.runs.spec import RunSpec


class Model(Protocol):
    """Loss and gradient of a batch."""

    def bind(self, factors: Sequence[Tensor], loss: Tensor) -> Callable[[], None]:
        """A call that evaluates these factors, whatever they hold by then.

        Args:
            factors: (runs, rows, columns) per factor.
            loss: (runs, 1, 1), where *twice* the loss is written.

        Returns:
            A call that writes the loss, and the gradient into the blocks that the model was built with.
        """
        ...


def build_model(specs: Sequence[RunSpec], gradient: Sequence[Tensor]) -> Model:
    """The model of a batch whose specs share a batch key.

    Args:
        specs: one per run.
        gradient: (runs, rows, columns) per factor, where gradients are written; its type and device are the model's.
    """
    dtype, device = gradient[0].dtype, gradient[0].device
    if observes_few_entries(specs[0]):
        return SparseComponentGradient(SparseEntryObjective(specs, dtype, device), gradient)
    objective = build_objective(specs, dtype, torch.device(device))
    return gradient_of(specs[0].model, objective, gradient)


def gradient_of(model: models.Model, objective: Objective, gradient: Sequence[Tensor]) -> Model:
    """A model that computes whole products, on an objective; see `build_model`."""
    match model:
        case models.CpTensor():
            return ComponentGradient(objective, gradient)
        case models.SymmetricMatrix():
            return SymmetricGradient(objective, gradient)
        case _:
            return DeepMatrixGradient(objective, gradient)
