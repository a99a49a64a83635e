"""The loss over linear measurements: sensing, which measures vec(W), and regression, which measures every row of W.

A matrix of measurements that runs share is held once, and multiplies the rows of all of them together. Rows go in
blocks of ROWS, those of a matrix side by side, and the last block is filled up with zeros. Every block is a product of
matrices of the same shape, whatever the batch, so that a run has the same bits alone and in company.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.runs.losses import loss_weight
from workers.runs.problems import Problem
from workers.runs.reduction import Reduced, reduced
from workers.runs.spec import RunSpec

ROWS = 8
"""Rows of a block: enough for 90 % of the speed of the largest products of matrices, and little to fill up."""

FEWEST_BLOCKS = 2
"""torch multiplies a batch of a single matrix by another path, which rounds differently."""


class LinearObjective:
    """Squared residuals of linear measurements: residual = tensors @ V - outputs, V the rows of a product as columns.

    Args:
        systems: the different measurements of the batch, of equal shapes.
        system: (runs,), which of them a run has.
        weight: of the squared residuals in the loss, of all runs.
        shape: of a product.
    """

    def __init__(self, systems: "Systems", system: Tensor, weight: float, shape: Sequence[int]) -> None:
        self._systems, self._system, self._weight, self._shape = systems, system, weight, tuple(shape)
        slots, blocks = _arranged(system, systems.measured_rows)
        self._runs, self._row_count = len(system), len(slots)
        like, of_runs, of_blocks = systems.forward, system.to(systems.forward.device), blocks.to(systems.forward.device)
        self._is_in_order = bool((slots == torch.arange(len(slots))).all())
        self._is_full = self._is_in_order and len(slots) == len(blocks) * ROWS
        self._slots = slots.to(like.device)
        self._forward, self._back = (
            part.expand(len(blocks), -1, -1) if len(part) == 1 else part[of_blocks]
            for part in (systems.forward, systems.back)
        )
        self._rows, self._gradient = like.new_zeros(2, len(blocks), ROWS, like.shape[1]).unbind()
        self._outputs, self._residual = like.new_zeros(2, len(blocks), ROWS, like.shape[2]).unbind()
        self._outputs.view(-1, like.shape[2]).index_copy_(0, self._slots, systems.outputs[of_runs].flatten(0, 1))
        self._rest = systems.rest[of_runs][:, None, None] * weight

    def pull_back(self, product: Tensor, loss: Tensor) -> Tensor:
        """See `workers.lab.objectives.Objective`."""
        torch.bmm(self._in_blocks(product), self._forward, out=self._residual)
        self._residual.sub_(self._outputs)
        residual = self._per_run(self._residual)
        torch.bmm(residual, residual.mT, out=loss)
        torch.add(self._rest, loss, alpha=self._weight, out=loss)
        torch.bmm(self._residual, self._back, out=self._gradient)
        return self._per_run(self._gradient).view(self._runs, *self._shape)

    def _in_blocks(self, product: Tensor) -> Tensor:
        """The rows of products as blocks, without a copy where they fill them."""
        if self._is_full and product.is_contiguous():
            return product.view(self._rows.shape)
        rows, placed = product.reshape(self._row_count, -1), self._rows.view(-1, self._rows.shape[2])
        if self._is_in_order:
            placed[: self._row_count].copy_(rows)
        else:
            placed.index_copy_(0, self._slots, rows)
        return self._rows

    def losses(self, product: Tensor) -> Tensor:
        """See `workers.lab.objectives.Objective`."""
        rows = product.reshape(self._row_count, -1)
        empty = rows.new_zeros(self._rows.shape).flatten(0, 1)
        residual = torch.bmm(empty.index_copy(0, self._slots, rows).view_as(self._rows), self._forward) - self._outputs
        squares = self._per_run(residual).square().sum(dim=(1, 2))
        return (self._weight * squares + self._rest.flatten()) / 2

    def select(self, runs: Tensor) -> "LinearObjective":
        """See `workers.lab.objectives.Objective`."""
        return LinearObjective(self._systems, self._system[runs], self._weight, self._shape)

    @property
    def bytes_per_run(self) -> int:
        """Memory of one run's rows, and of its measurements where runs have different ones."""
        rows = 2 * self._systems.measured_rows * (self._rows.shape[2] + self._residual.shape[2])
        matrices = 2 * self._systems.forward[0].numel() if len(self._systems.forward) > 1 else 0
        return (rows + matrices) * self._rows.element_size()

    def _per_run(self, blocks: Tensor) -> Tensor:
        """Blocks (blocks, ROWS, columns) as (runs, 1, measured rows * columns)."""
        rows = blocks.view(-1, blocks.shape[2])
        ours = rows[: self._row_count] if self._is_in_order else rows.index_select(0, self._slots)
        return ours.view(self._runs, 1, -1)


class Systems:
    """Different measurements of equal shapes, held once for all runs.

    Attributes:
        forward, back: (systems, columns, rows) and (systems, rows, columns), contiguous, for products from the right;
            `back` is multiplied by the weight of squared residuals in the loss.
        outputs: (systems, measured rows, rows).
        rest: (systems,), part of the squares that does not depend on the product.
    """

    def __init__(self, systems: Sequence[Reduced], weight: float, dtype: torch.dtype, device: torch.device) -> None:
        def tensor(arrays: Sequence[npt.NDArray[np.float64]]) -> Tensor:
            return torch.as_tensor(np.stack(arrays), dtype=dtype, device=device)

        self.back = tensor([weight * system.tensors for system in systems])
        self.forward = tensor([system.tensors.T for system in systems])
        self.outputs = tensor([system.outputs.T for system in systems])
        self.rest = tensor([np.array(system.rest) for system in systems])

    @property
    def measured_rows(self) -> int:
        """Rows of a product that are measured, 1 where it is measured as a vector."""
        return self.outputs.shape[1]


def linear_objective(
    specs: Sequence[RunSpec], shape: Sequence[int], dtype: torch.dtype, device: torch.device
) -> LinearObjective:
    """The objective of a batch of runs with linear measurements, whose products have a `shape` as matrices."""
    numbers: dict[Problem, int] = {}
    system = [numbers.setdefault(spec.problem, len(numbers)) for spec in specs]
    weight = loss_weight(specs[0])
    systems = Systems([reduced(problem) for problem in numbers], weight, dtype, device)
    return LinearObjective(systems, torch.tensor(system), weight, shape)


def _arranged(system: Tensor, rows_of_a_run: int) -> tuple[Tensor, Tensor]:
    """Where every row of every run goes, and the system of each block.

    Args:
        system: (runs,), the measurements of each run.

    Returns:
        Positions (runs * rows of a run,) among the rows of all blocks, and systems (blocks,).
    """
    slots = torch.empty(len(system), rows_of_a_run, dtype=torch.long)
    blocks: list[int] = []
    for number in system.unique().tolist():
        runs = (system == number).nonzero().flatten()
        rows = len(runs) * rows_of_a_run
        slots[runs] = (len(blocks) * ROWS + torch.arange(rows)).view(-1, rows_of_a_run)
        blocks += [number] * -(-rows // ROWS)
    blocks += [blocks[0]] * (FEWEST_BLOCKS - len(blocks))
    return slots.flatten(), torch.tensor(blocks)
