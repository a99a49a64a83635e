"""The loss over held-out observations, at recorded points."""

from collections.abc import Callable

import torch
from torch import Tensor

from workers.lab.metrics.entries import Product
from workers.lab.metrics.gradients import blocks_of_points
from workers.lab.metrics.padding import pad_rows
from workers.lab.objectives import build_objective
from workers.runs.observations import held_out
from workers.runs.spec import RunSpec


def test_loss(product: Product) -> Tensor:
    """The loss of the run, over its held-out observations, (points,)."""
    objective = build_objective([_on_held_out(spec) for spec in product.specs], torch.float64, torch.device("cpu"))
    losses = torch.empty(len(product.member), dtype=torch.float64)
    for block in blocks_of_points(product.member, objective.bytes_per_run):
        chosen = objective.select(torch.from_numpy(pad_rows(product.member[block], 2)))
        losses[block] = chosen.losses(pad_rows(product.matrices[block], 2))[: block.stop - block.start]
    return losses


FORMULAS: dict[str, Callable[[Product], Tensor]] = {"test_loss": test_loss}
"""By the names of the catalogue, each (points,)."""


def _on_held_out(spec: RunSpec) -> RunSpec:
    """The run on its held-out observations; batches are of runs that all hold out equally many."""
    return spec.model_copy(update={"problem": held_out(spec.problem)})
