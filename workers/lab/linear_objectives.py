"""The loss over linear measurements: sensing, which measures vec(W), and regression, which measures every row of W.

A matrix of measurements that runs share is held once, and multiplies the rows of all of them together. Rows go in
blocks of ROWS, those of a matrix side by side, and the last block is filled up with zeros. Every block is a product of
matrices of the same shape, whatever the batch, so that a run has the same bits alone and in company.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.disturbances import Disturbances
from workers.lab.losses import SQUARES, maths_of, parameter_of
from workers.lab.products import multiply
from workers.lab.terms import Terms, Weighting
from workers.runs.problems import Problem
from workers.runs.reduction import measured, whole
from workers.runs.spec import RunSpec

ROWS = 8
"""Rows of a block: enough for 90 % of the speed of the largest products of matrices, and little to fill up."""

FEWEST_BLOCKS = 2
"""torch multiplies a batch of a single matrix by another path, which rounds differently."""


class LinearObjective:
    """The loss of linear measurements: residual = tensors @ V - targets, V the rows of a product as columns.

    Args:
        systems: the different measurements of the batch, of equal shapes.
        system: (runs,), which of them a run has.
        parameters: (runs,), of the losses.
        shape: of a product.
    """

    def __init__(self, systems: "Systems", system: Tensor, parameters: Tensor, shape: Sequence[int]) -> None:
        self._systems, self._system, self._parameters, self._shape = systems, system, parameters, tuple(shape)
        slots, blocks = _arranged(system, systems.measured_rows)
        self._runs, self._row_count = len(system), len(slots)
        like, of_blocks = systems.forward, blocks.to(systems.forward.device)
        self._of_runs, self._slots = system.to(like.device), slots.to(like.device)
        self._is_in_order = bool((slots == torch.arange(len(slots))).all())
        self._is_full = self._is_in_order and len(slots) == len(blocks) * ROWS
        self._forward, self._back = (
            part.expand(len(blocks), -1, -1) if len(part) == 1 else part[of_blocks]
            for part in (systems.forward, systems.back)
        )
        self._rows, self._gradient = like.new_zeros(2, len(blocks), ROWS, like.shape[1]).unbind()
        self._residual = like.new_zeros(len(blocks), ROWS, like.shape[2])
        self._targets = self._placed(systems.targets[self._of_runs], 0.0)
        self._terms, self._signal = self._bound_terms()
        self._rest = systems.rest[self._of_runs][:, None, None]
        self._disturbances: Disturbances | None = None

    def _bound_terms(self) -> tuple[Terms, Tensor]:
        """The terms of the residuals, and the buffer of their signal."""
        if self._systems.maths is SQUARES:
            return _UnweightedSquares(self._residual), self._residual
        signal = torch.empty_like(self._residual)
        return self._weighting().on(self._residual, signal), signal

    def _weighting(self) -> Weighting:
        """The losses of the observations in blocks; rows that fill up a block have no weight."""
        per_row = self._parameters.repeat_interleave(self._systems.measured_rows)[:, None].to(self._residual.device)
        return Weighting(
            self._systems.maths,
            self._placed(self._systems.weights[self._of_runs], 0.0),
            self._placed(per_row, 1.0),
            self._systems.working_numbers,
        )

    def _placed(self, rows: Tensor, filling: float) -> Tensor:
        """Rows of all runs (..., columns) in blocks (blocks, ROWS, columns)."""
        columns = rows.shape[-1]
        blocks = self._residual.new_full((*self._residual.shape[:2], columns), filling)
        blocks.view(-1, columns).index_copy_(0, self._slots, rows.reshape(-1, columns))
        return blocks

    def pull_back(self, product: Tensor, loss: Tensor) -> Tensor:
        """See `workers.lab.objectives.Objective`."""
        torch.bmm(self._in_blocks(product), self._forward, out=self._residual)
        self._residual.sub_(self._targets)
        self._terms.evaluate()
        multiply(self._per_run(self._terms.left), self._per_run(self._terms.right).mT, loss)
        torch.add(self._rest, loss, alpha=self._systems.scale, out=loss)
        if self._disturbances is not None:
            self._disturbances.disturb(self._terms)
        torch.bmm(self._signal, self._back, out=self._gradient)
        return self._per_run(self._gradient).view(self._runs, *self._shape)

    def disturb(self, disturbances: Disturbances) -> None:
        """See `workers.lab.objectives.Objective`."""
        self._disturbances = disturbances
        samples, slots = self._residual.shape[2], self._slots.view(self._runs, -1).cpu().numpy()
        places = [row * samples + np.arange(samples)[:, None] for row in slots]
        disturbances.place(places, self._residual.shape)

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
        residual = self._residual_of(product)
        twice = residual.square() if self._systems.maths is SQUARES else self._weighting().twice(residual)
        return (self._systems.scale * self._per_run(twice).sum(dim=(1, 2)) + self._rest.flatten()) / 2

    def curvature(self, product: Tensor) -> Tensor:
        """See `workers.lab.objectives.Objective`."""
        if self._systems.maths is SQUARES:
            observations = self._systems.measured_rows * self._residual.shape[2]
            return product.new_full((self._runs, observations, 1), self._systems.scale)
        return self._per_run(self._weighting().curvature(self._residual_of(product))).mT

    def measurements(self, run: int, most: int) -> Iterator[Tensor]:
        """See `workers.lab.objectives.Objective`: every measured row has the same measurements, and zeros beside it."""
        measured_rows = self._systems.measured_rows
        for row in range(measured_rows):
            for part in self._systems.forward[self._of_runs[run]].T.split(most):
                tensors = part.new_zeros(len(part), measured_rows, part.shape[1])
                tensors[:, row] = part
                yield tensors.flatten(1)

    def _residual_of(self, product: Tensor) -> Tensor:
        """The residuals in blocks, for torch to differentiate."""
        rows = product.reshape(self._row_count, -1)
        empty = rows.new_zeros(self._rows.shape).flatten(0, 1)
        return torch.bmm(empty.index_copy(0, self._slots, rows).view_as(self._rows), self._forward) - self._targets

    def select(self, runs: Tensor) -> "LinearObjective":
        """See `workers.lab.objectives.Objective`."""
        return LinearObjective(self._systems, self._system[runs], self._parameters[runs], self._shape)

    @property
    def bytes_per_run(self) -> int:
        """Memory of one run's rows, and of its measurements where runs have different ones."""
        per_row = self._rows.shape[2] + (1 + self._systems.working_numbers) * self._residual.shape[2]
        matrices = 2 * self._systems.forward[0].numel() if len(self._systems.forward) > 1 else 0
        return (2 * self._systems.measured_rows * per_row + matrices) * self._rows.element_size()

    def _per_run(self, blocks: Tensor) -> Tensor:
        """Blocks (blocks, ROWS, columns) as (runs, 1, measured rows * columns)."""
        rows = blocks.view(-1, blocks.shape[2])
        ours = rows[: self._row_count] if self._is_in_order else rows.index_select(0, self._slots)
        return ours.view(self._runs, 1, -1)


class _UnweightedSquares:
    """Squared residuals; the weight is in the measurements that carry the signal back."""

    def __init__(self, residual: Tensor) -> None:
        self.left = self.right = residual

    def evaluate(self) -> None:
        """The residual is its own signal."""

    def disturb(self, labels: Tensor | None, shares: Tensor | None) -> None:
        """See `workers.lab.terms.Terms`."""
        if labels is not None:
            self.left.sub_(labels)
        if shares is not None:
            self.left.mul_(shares)


class Systems:
    """Different measurements of equal shapes, held once for all runs, and the kind of their losses.

    Args:
        is_whole: see `linear_objective`.

    Attributes:
        forward, back: (systems, columns, rows) and (systems, rows, columns), contiguous, for products from the right;
            `back` is multiplied by `scale`.
        targets, weights: (systems, measured rows, rows).
        rest: (systems,), part of twice the loss that does not depend on the product.
        scale: of squares their weight in the loss, of other terms, which have weights of their own, 1.
    """

    def __init__(self, specs: Sequence[RunSpec], dtype: torch.dtype, device: torch.device, is_whole: bool) -> None:
        def tensor(arrays: Iterable[npt.NDArray[np.float64]]) -> Tensor:
            return torch.as_tensor(np.stack(list(arrays)), dtype=dtype, device=device)

        loss, count = specs[0].loss, specs[0].problem.observation_count
        systems = [(whole(spec.problem) if is_whole else measured(spec.problem, loss)) for spec in specs]
        self.maths, self.working_numbers = maths_of(loss), loss.working_numbers
        self.scale = loss.weight(count) if loss.is_square else 1.0
        self.back = tensor(self.scale * system.tensors for system in systems)
        self.forward = tensor(system.tensors.T for system in systems)
        self.targets = tensor(loss.targets(system.outputs.T) for system in systems)
        self.weights = tensor(loss.weights(system.outputs.T, count) for system in systems)
        self.rest = tensor(np.array(self.scale * system.rest) for system in systems)

    @property
    def measured_rows(self) -> int:
        """Rows of a product that are measured, 1 where it is measured as a vector."""
        return self.targets.shape[1]


def linear_objective(
    specs: Sequence[RunSpec], shape: Sequence[int], dtype: torch.dtype, device: torch.device, is_whole: bool
) -> LinearObjective:
    """The objective of a batch of runs with linear measurements, whose products have a `shape` as matrices.

    Args:
        is_whole: whether every sample is needed, however a loss of squares could be reduced.
    """
    first: dict[Problem, RunSpec] = {}
    for spec in specs:
        first.setdefault(spec.problem, spec)
    numbers = {problem: number for number, problem in enumerate(first)}
    system = torch.tensor([numbers[spec.problem] for spec in specs])
    parameters = torch.tensor([parameter_of(spec.loss) for spec in specs], dtype=dtype)
    return LinearObjective(Systems(list(first.values()), dtype, device, is_whole), system, parameters, shape)


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
