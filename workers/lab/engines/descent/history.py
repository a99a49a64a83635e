"""The history of a chunk: every state of a batch, slot after slot, so that any state can be read afterwards."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.models.layout import FactorLayout

HISTORY_BYTES = 16 * 2**20
"""Memory of a chunk's history: small enough to stay near the core, large enough for long chunks of large batches."""

LONGEST_CHUNK, SHORTEST_CHUNK = 128, 8


class History:
    """States of all runs of a batch at consecutive steps; slot 0 is the beginning of a chunk.

    Args:
        layout: layout of the factors in a flat vector.
        slots, scalars: vectors and single numbers per run in a state (`workers.runs.optimizers`).
        matrices: shapes of the matrices of each run between them.
        longest: the most steps that are taken at all, 1 at least.

    Attributes:
        capacity: the most steps of a chunk.
        states: for each slot its vectors (size,), its matrices (runs, rows, columns), then its scalars (runs,).
        factors: for each slot the factors (runs, rows, columns).
    """

    def __init__(
        self,
        layout: FactorLayout,
        slots: int,
        scalars: int,
        dtype: torch.dtype,
        device: torch.device,
        matrices: Sequence[tuple[int, int]] = (),
        longest: int = LONGEST_CHUNK,
    ) -> None:
        self._matrix_layout = FactorLayout(tuple(matrices), layout.runs)
        fitting = HISTORY_BYTES // ((slots * layout.size + self._matrix_layout.size) * dtype.itemsize)
        self.capacity = min(int(np.clip(fitting, SHORTEST_CHUNK, LONGEST_CHUNK)), longest)
        self._layout, self._slots = layout, slots
        widths = (slots * layout.size, self._matrix_layout.size, scalars * layout.runs)
        self._all = torch.zeros(self.capacity + 1, sum(widths), dtype=dtype, device=device)
        vectors, self._matrices, singles = self._all.split(widths, dim=1)
        self._vectors = vectors.unflatten(1, (slots, layout.size))
        self._scalars = singles.unflatten(1, (scalars, layout.runs)) if scalars else None
        self.states = [self._unbound(slot) for slot in range(self.capacity + 1)]
        self.factors = [layout.blocks(state[0]) for state in self.states]

    def load(self, states: npt.NDArray[np.generic]) -> None:
        """Put states (runs, numbers of a state) into slot 0."""
        cut = self._slots * self._layout.entries_per_run
        end = cut + self._matrix_layout.entries_per_run
        per_slot = states[:, :cut].reshape(len(states), self._slots, -1).swapaxes(0, 1)
        self._vectors[0].copy_(torch.from_numpy(self._layout.flatten(per_slot)))
        if end > cut:
            self._matrices[0].copy_(torch.from_numpy(self._matrix_layout.flatten(states[:, cut:end])))
        if self._scalars is not None:
            self._scalars[0].copy_(torch.from_numpy(states[:, end:].T.copy()))

    def restart(self, slot: int) -> None:
        """Begin the next chunk from a slot."""
        self._all[0].copy_(self._all[slot])

    def read_states(self, slots: npt.NDArray[np.int64], runs: npt.NDArray[np.int64]) -> npt.NDArray[np.generic]:
        """States (rows, numbers of a state) at the given slots and runs, each (rows,)."""
        index = self._index(slots, runs)
        parts = [self._layout.gather(self._vectors[:, vector], index) for vector in range(self._slots)]
        if self._matrix_layout.shapes:
            parts.append(self._matrix_layout.gather(self._matrices, index))
        if self._scalars is not None:
            parts.append(self._scalars.swapaxes(1, 2)[index])
        return torch.cat(parts, dim=1).cpu().numpy()

    def read_factors(self, slots: npt.NDArray[np.int64], runs: npt.NDArray[np.int64]) -> npt.NDArray[np.generic]:
        """Factors (rows, trained numbers) at the given slots and runs, each (rows,)."""
        return self._layout.gather(self._vectors[:, 0], self._index(slots, runs)).cpu().numpy()

    def finite(self, slot: int) -> npt.NDArray[np.bool_]:
        """Whether all factors of each run are finite, (runs,)."""
        factors = [factor.flatten(1) for factor in self.factors[slot]]
        # No sum with a number that is not finite is finite; one of finite numbers may overflow: then each is looked at.
        sums = torch.stack([factor.sum(dim=1) for factor in factors]).isfinite()
        if not sums.all():
            sums = torch.stack([factor.isfinite().all(dim=1) for factor in factors])
        return sums.all(dim=0).cpu().numpy()

    def _unbound(self, slot: int) -> list[Tensor]:
        scalars = [] if self._scalars is None else list(self._scalars[slot].unbind())
        matrices = self._matrix_layout.blocks(self._matrices[slot]) if self._matrix_layout.shapes else []
        return [*self._vectors[slot].unbind(), *matrices, *scalars]

    def _index(self, slots: npt.NDArray[np.int64], runs: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(slots).to(self._all.device), torch.from_numpy(runs).to(self._all.device)
