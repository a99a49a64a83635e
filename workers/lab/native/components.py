"""The CP factorisation in compiled code, run by run: its product, or few of its entries, and their pull-back.

The mathematics are those of `workers.lab.models.cp_tensor`. Khatri-Rao products are made once for the product and once
for the pull-back, in memory that all runs share and that stays in a core's cache. A gradient of a Khatri-Rao product is
read once, for both of its factors. Nothing depends on the runs around a run, nor on the length of vectors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import mul

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.losses import SQUARES, FusedLoss
from workers.lab.native.building import bound, can_be_compiled
from workers.lab.native.component_code import EVALUATE, FIELDS, MULTIPLY, PADDING_BYTES, PULL_BACK, source
from workers.lab.native.vectors import vector_bytes
from workers.runs.shapes import halves_of

_PART, _PRODUCT, _LOSS = FIELDS.index("part"), FIELDS.index("product"), FIELDS.index("loss")


@dataclass(frozen=True)
class Entries:
    """Few entries of the products of a batch, in the order of runs.

    Attributes:
        starts: int64 (runs + 1,), where each run's entries begin.
        rows, columns: int64 (entries,), of the run's product as a matrix.
    """

    starts: Tensor
    rows: Tensor
    columns: Tensor


@dataclass(frozen=True)
class EntryLosses:
    """The losses of a batch, entry by entry.

    Attributes:
        loss: their kind.
        targets, weights: of all entries of the product, run by run, or of few in their order; contiguous.
        parameters: (runs,).
    """

    loss: FusedLoss
    targets: Tensor
    weights: Tensor
    parameters: Tensor


def is_available(dtype: torch.dtype, device: torch.device, loss: FusedLoss = SQUARES.fused) -> bool:
    """Whether the code can run: on a CPU, compiled now or before."""
    return device.type == "cpu" and can_be_compiled(source(dtype, vector_bytes(), loss))


class NativeComponents:
    """Products and pull-backs of a batch, bound to memory.

    Args:
        gradient: (runs, dimension, rank) per factor, contiguous, on a CPU; where gradients are written.
        product: (runs, rows, columns), reshaped by its halves, or (entries,) of few; where products are written.
        entries: which, where there are few.
        losses: for evaluations in a single call.
    """

    def __init__(
        self,
        gradient: Sequence[Tensor],
        product: Tensor,
        entries: Entries | None = None,
        losses: EntryLosses | None = None,
    ) -> None:
        self._gradient, self._product, self._entries, self._losses = list(gradient), product, entries, losses
        self._runs, _, self._rank = gradient[0].shape
        self._halves = halves_of([block.shape[1] for block in gradient])
        unit, width = PADDING_BYTES // product.itemsize, vector_bytes() // product.itemsize
        self._stride = unit * (
            -(-self._rank // unit) | 1
        )  # rows an even number of lines apart share few sets of a cache
        self._row_stride = _padded(prod(self._halves[0]), width // 2)
        memory = product.new_empty(self._memory_numbers() + unit)
        self._memory = memory[-memory.data_ptr() % PADDING_BYTES // product.itemsize :]
        self._call = self._new_call()
        loss = SQUARES.fused if losses is None else losses.loss
        self._launch = bound(source(product.dtype, vector_bytes(), loss), self._runs, self._call)

    def bind(self, factors: Sequence[Tensor]) -> tuple[Callable[[], None], Callable[[Tensor], None]]:
        """The call that writes the product, and the call that writes the gradients.

        The second one takes the gradient in the product, of its shape and contiguous.

        Args:
            factors: (runs, dimension, rank) each; the matrix of a run is contiguous.
        """
        call, launch, where = self._call, self._launch, _Where(factors)

        def multiply() -> None:
            call[_PART], call[_PRODUCT], call[-where.count :] = MULTIPLY, self._product.data_ptr(), where.addresses
            launch()

        def pull_back(signal: Tensor) -> None:
            call[_PART], call[_PRODUCT], call[-where.count :] = PULL_BACK, signal.data_ptr(), where.addresses
            launch()

        return multiply, pull_back

    def evaluation(self, factors: Sequence[Tensor], loss: Tensor) -> Callable[[], None]:
        """The call that writes the product, twice the loss (runs, 1, 1), contiguous, and the gradients.

        Args:
            factors: see `bind`.
        """
        assert self._losses is not None
        assert loss.is_contiguous()
        call, launch, where, into = self._call, self._launch, _Where(factors), _Where([loss])

        def evaluate() -> None:
            call[_PART], call[_PRODUCT], call[_LOSS], call[-where.count :] = (
                EVALUATE,
                self._product.data_ptr(),
                into.addresses[0],
                where.addresses,
            )
            launch()

        return evaluate

    def _new_call(self) -> npt.NDArray[np.int64]:
        """What the code reads, but for the factors."""
        modes, entries, losses = [block.shape[1] for block in self._gradient], self._entries, self._losses
        fields = {
            "part": MULTIPLY,
            "first_modes": len(self._halves[0]),
            "modes": len(modes),
            "rank": self._rank,
            "stride": self._stride,
            "rows": prod(self._halves[0]),
            "columns": prod(self._halves[1]),
            "row_stride": self._row_stride,
            "memory": self._memory.data_ptr(),
            "product": 0,
            "starts": entries.starts.data_ptr() if entries else 0,
            "entry_rows": entries.rows.data_ptr() if entries else 0,
            "entry_columns": entries.columns.data_ptr() if entries else 0,
            "targets": losses.targets.data_ptr() if losses else 0,
            "weights": losses.weights.data_ptr() if losses else 0,
            "parameters": losses.parameters.data_ptr() if losses else 0,
            "loss": 0,
        }
        gradients = [block.data_ptr() for block in self._gradient]
        return np.array([*(fields[name] for name in FIELDS), *modes, *gradients, *[0] * 2 * len(modes)], dtype=np.int64)

    def _memory_numbers(self) -> int:
        """Padded factors and Khatri-Rao products with their gradients, a block of the last, the first transposed."""
        last = self._halves[1][-1]
        rows = sum(sum(half) + sum(list(accumulate(half, mul))[1:]) for half in self._halves) + last
        return 2 * rows * self._stride + (self._rank + last) * self._row_stride


class _Where:
    """Addresses of tensors, then the distances of their runs' matrices; keeps the tensors, which are read there."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        assert all(tensor[0].is_contiguous() for tensor in tensors)
        self._tensors, self.count = tuple(tensors), 2 * len(tensors)
        addresses = [tensor.data_ptr() for tensor in tensors]
        self.addresses = np.array([*addresses, *(tensor.stride(0) for tensor in tensors)])


def _padded(size: int, unit: int) -> int:
    return -(-size // unit) * unit
