"""The loss of a run straight from its definition, for autograd to differentiate."""

import torch
from torch import Tensor

from workers.runs.observations import observe
from workers.runs.problems import ObservedEntries
from workers.runs.spec import RunSpec


def loss_by_definition(spec: RunSpec, product: Tensor) -> Tensor:
    """The loss of one run, whose product has the shape of the problem."""
    observed = observe(spec.problem)
    if isinstance(observed, ObservedEntries):
        residuals = (product - torch.from_numpy(observed.values))[torch.from_numpy(observed.mask)]
    else:
        tensors, outputs = torch.from_numpy(observed.tensors), torch.from_numpy(observed.outputs)
        residuals = tensors @ product.reshape(outputs.shape[1], -1).T - outputs
    return residuals.square().mean() if spec.loss == "mse" else residuals.square().sum() / 2
