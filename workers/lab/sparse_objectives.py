"""The loss over few observed entries of large tensors, as a single sparse matrix for all runs of a batch."""

import warnings
from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.disturbances import Disturbances
from workers.lab.native.components import Entries, EntryLosses
from workers.lab.terms import Weighting
from workers.runs.observations import observe_entries
from workers.runs.shapes import halves_of
from workers.runs.spec import RunSpec

Indices = npt.NDArray[np.int64]


class SparseEntryObjective:
    """Observed entries of tensors reshaped to matrices, which are the diagonal blocks of a single sparse matrix.

    Attributes:
        transposition: (observations,), permutation from observations listed by rows to a list by columns.
    """

    def __init__(self, specs: Sequence[RunSpec], dtype: torch.dtype, device: torch.device) -> None:
        self._shape = tuple(prod(half) for half in halves_of(specs[0].problem.shape))
        rows, columns, values = zip(*(_entries(spec, self._shape) for spec in specs), strict=True)
        losses, counts = [spec.loss for spec in specs], [len(run_values) for run_values in values]
        targets = [loss.targets(run_values) for loss, run_values in zip(losses, values, strict=True)]
        weights = [loss.weights(run_values, len(run_values)) for loss, run_values in zip(losses, values, strict=True)]
        self._runs = len(specs)
        self._rows = np.concatenate([run_rows + i * self._shape[0] for i, run_rows in enumerate(rows)])
        self._columns = np.concatenate([run_columns + i * self._shape[1] for i, run_columns in enumerate(columns)])
        self._targets = torch.as_tensor(np.concatenate(targets), dtype=dtype, device=device)
        weighting = Weighting.of(losses, torch.as_tensor(np.concatenate(weights), dtype=dtype, device=device), counts)
        self._residual, self._signal, self._parts = (torch.empty_like(self._targets) for _ in range(3))
        self._terms, self._weighting = weighting.on(self._residual, self._signal), weighting
        self._run = torch.as_tensor(np.repeat(np.arange(self._runs), counts), device=device)
        self._disturbances: Disturbances | None = None
        self.transposition = torch.as_tensor(np.lexsort((self._rows, self._columns)), device=device)

    def pull_back(self, observed: Tensor, loss: Tensor) -> Tensor:
        """Write *twice* the loss into `loss` (runs, 1, 1); return the gradient of the loss, (observations,).

        The gradient is valid until the next call.
        """
        torch.sub(observed, self._targets, out=self._residual)
        self._terms.evaluate()
        torch.mul(self._terms.left, self._terms.right, out=self._parts)
        loss.view(-1).zero_().index_add_(0, self._run, self._parts)
        if self._disturbances is not None:
            self._disturbances.disturb(self._terms)
        return self._signal

    def disturb(self, disturbances: Disturbances) -> None:
        """See `workers.lab.objectives.Objective`."""
        self._disturbances = disturbances
        run = self._run.cpu().numpy()
        places = [np.flatnonzero(run == number)[:, None] for number in range(self._runs)]
        disturbances.place(places, self._residual.shape)

    def entries(self) -> Entries:
        """The observed entries, for compiled code on a CPU."""
        run = self._run.numpy()
        places = (self._rows - run * self._shape[0], self._columns - run * self._shape[1])
        starts = np.searchsorted(run, np.arange(self._runs + 1))
        return Entries(*(torch.from_numpy(part.astype(np.int64)) for part in (starts, *places)))

    def of_entries(self) -> EntryLosses | None:
        """The losses as compiled code takes them; None where steps take another gradient."""
        if self._disturbances is not None:
            return None
        weighting, first = self._weighting, self.entries().starts[:-1]
        return EntryLosses(weighting.maths.fused, self._targets, weighting.weights, weighting.parameters[first])

    def matrices(self) -> tuple[Tensor, Tensor]:
        """The sparse matrix of all runs and its transpose, with values still to be filled in."""
        rows, columns = (self._runs * size for size in self._shape)
        order = self.transposition.cpu().numpy()
        return (
            self._matrix(self._rows, self._columns, (rows, columns)),
            self._matrix(self._columns[order], self._rows[order], (columns, rows)),
        )

    def _matrix(self, rows: Indices, columns: Indices, size: tuple[int, int]) -> Tensor:
        starts = np.searchsorted(rows, np.arange(size[0] + 1)).astype(np.int32)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            return torch.sparse_csr_tensor(
                torch.from_numpy(starts),
                torch.from_numpy(columns.astype(np.int32)),
                torch.zeros_like(self._targets, device="cpu"),
                size=size,
                check_invariants=True,
            ).to(self._targets.device)


def _entries(spec: RunSpec, shape: tuple[int, ...]) -> tuple[Indices, Indices, npt.NDArray[np.float64]]:
    """Rows, columns and values of a run's observations, listed by rows."""
    observed = observe_entries(spec.problem)
    rows, columns = np.nonzero(observed.mask.reshape(shape))
    return rows, columns, observed.values.reshape(shape)[rows, columns]
