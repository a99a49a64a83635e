"""The loss of a run straight from its definition, for autograd to differentiate."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from workers.runs.observations import observe
from workers.runs.problems import ObservedEntries
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
    predictions = torch.from_numpy(observed.tensors) @ product.flatten()
    return DEFINITIONS[spec.loss.kind](spec.loss, predictions, torch.from_numpy(observed.values))
