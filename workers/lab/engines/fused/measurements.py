"""The linear measurements of the runs of a batch in memory, as each layout reads them."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.engines.fused.columns import measured_numbers
from workers.lab.engines.fused.memory import ALIGNMENT, Memory
from workers.lab.engines.fused.program import Program
from workers.runs.observations import observe
from workers.runs.problems import LinearMeasurements
from workers.runs.spec import RunSpec

Array = npt.NDArray[Any]


class Measurements:
    """All different measurements of a batch, each once; none where entries are observed.

    Args:
        specs: of the runs.
        dtype: of the numbers.
    """

    def __init__(self, specs: Sequence[RunSpec], dtype: np.dtype[Any]) -> None:
        number = {problem: place for place, problem in enumerate(dict.fromkeys(spec.problem for spec in specs))}
        systems = [observed for observed in map(observe, number) if isinstance(observed, LinearMeasurements)]
        self._tensors = [system.tensors.astype(dtype) for system in systems]
        self._number = np.array([number[spec.problem] if systems else 0 for spec in specs], dtype=np.int64)
        self._dtype = dtype
        self._by_columns: dict[Program, Array] = {}

    @property
    def are_shared(self) -> bool:
        """Whether all runs have the same measurements."""
        return len(self._tensors) == 1

    def arrays(self, program: Program, lanes: Array) -> dict[str, Array]:
        """The measurements, and where those of each lane begin, (lanes,).

        By lanes they stand as they are, (measurements, entries of the product).
        """
        if not program.samples:
            nothing = np.zeros(1, dtype=self._dtype)
            return {"measurements": nothing, "measurement_begins": np.zeros(len(lanes), dtype=np.int64)}
        flat = self._as_they_are if program.layout == "lanes" else self._padded(program)
        return {
            "measurements": flat,
            "measurement_begins": self._number[lanes] * (len(flat) // len(self._tensors)),
        }

    @cached_property
    def _as_they_are(self) -> Array:
        return np.stack(self._tensors).ravel()

    def _padded(self, program: Program) -> Array:
        """By columns: a padded row for each entry of the product, then a padded product for each measurement."""
        if program not in self._by_columns:
            self._by_columns[program] = _aligned([_padded(program, tensors) for tensors in self._tensors])
        return self._by_columns[program]


def _padded(program: Program, tensors: Array) -> Array:
    memory, rows, columns = Memory(program), program.rows, program.columns
    forward = np.zeros((rows * columns, memory.stride(program.samples)), tensors.dtype)
    forward[:, : program.samples] = tensors.T
    back = np.zeros((program.samples, rows, memory.stride(columns)), tensors.dtype)
    back[:, :, :columns] = tensors.reshape(-1, rows, columns)
    unit = ALIGNMENT // tensors.itemsize
    parts = np.zeros(measured_numbers(program) + -(-back.size // unit) * unit, tensors.dtype)
    parts[: forward.size] = forward.ravel()
    parts[measured_numbers(program) :][: back.size] = back.ravel()
    return parts


def _aligned(parts: Sequence[Array]) -> Array:
    """Arrays one after the other, from a multiple of ALIGNMENT on."""
    size = sum(len(part) for part in parts)
    memory = np.empty(size + ALIGNMENT // parts[0].itemsize, parts[0].dtype)
    begin = -memory.ctypes.data % ALIGNMENT // memory.itemsize
    return np.concatenate(parts, out=memory[begin : begin + size])
