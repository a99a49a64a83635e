"""The loss of a run straight from its definition, for autograd to differentiate; problems that suit a loss."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor
from torch.nn import functional

from workers.runs.losses import LOSSES
from workers.runs.observations import observe
from workers.runs.problems import ObservedEntries, Problem
from workers.runs.spec import RunSpec

DEFINITIONS: dict[str, Callable[[Any, Tensor, Tensor], Tensor]] = {
    "half_sse": lambda _, predicted, values: (predicted - values).square().sum() / 2,
    "mse": lambda _, predicted, values: functional.mse_loss(predicted, values),
    "l1": lambda _, predicted, values: functional.l1_loss(predicted, values),
    "huber": lambda loss, predicted, values: functional.huber_loss(predicted, values, delta=loss.delta),
    "lp": lambda loss, predicted, values: ((predicted - values).abs() ** loss.p / loss.p).mean(),
    "logistic": lambda _, predicted, labels: -functional.logsigmoid(labels * predicted).mean(),
    "exponential": lambda _, predicted, labels: torch.exp(-labels * predicted).mean(),
}
"""The loss of predictions (observations,) of observed values, by its kind."""


def loss_by_definition(spec: RunSpec, product: Tensor) -> Tensor:
    """The loss of one run, whose product has the shape of the problem."""
    observed = observe(spec.problem)
    if isinstance(observed, ObservedEntries):
        mask = torch.from_numpy(observed.mask)
        return DEFINITIONS[spec.loss.kind](spec.loss, product[mask], torch.from_numpy(observed.values)[mask])
    tensors, outputs = torch.from_numpy(observed.tensors), torch.from_numpy(observed.outputs)
    predictions = tensors @ product.reshape(outputs.shape[1], -1).T
    return DEFINITIONS[spec.loss.kind](spec.loss, predictions.flatten(), outputs.flatten())


def labelled(problem: Mapping[str, Any]) -> dict[str, Any]:
    """A problem with the same observations, but that their values are labels: their signs."""
    read = TypeAdapter(Problem).validate_python(problem)
    observed = observe(read)
    signs = np.where(observed.values < 0, -1.0, 1.0)
    if isinstance(observed, ObservedEntries):
        listed = [{"index": index.tolist(), "value": signs[tuple(index)]} for index in np.argwhere(observed.mask)]
        return {"kind": "completion", "shape": list(read.shape), "observations": listed}
    if len(observed.outputs[0]) > 1 or observed.tensors.shape[1] != np.prod(read.shape):
        outputs = np.where(observed.outputs < 0, -1.0, 1.0)
        return {"kind": "regression", "inputs": observed.tensors.tolist(), "outputs": outputs.tolist()}
    tensors = [tensor.reshape(read.shape).tolist() for tensor in observed.tensors]
    listed = [{"tensor": tensor, "value": sign} for tensor, sign in zip(tensors, signs, strict=True)]
    return {"kind": "sensing", "shape": list(read.shape), "measurements": listed}


def fitted(loss: Mapping[str, Any], problem: Mapping[str, Any]) -> dict[str, Any]:
    """A loss, and a problem with observations that it takes: labels where it takes labels."""
    return {"loss": loss, "problem": labelled(problem) if LOSSES[loss["kind"]].takes_labels else problem}
