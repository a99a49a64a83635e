"""Tables of a launch: the numbers that runs read at every step, computed before it: rates, and draws of noise.

Runs that read the same numbers share a row, and runs of one block that share all rows read them once. A row of numbers
that no longer change has a single number.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.engines.fused.program import DISTURBANCES, GRADIENTS, LABELS, SHARES, Program
from workers.lab.native import draws, sums
from workers.lab.native.draws import Filled
from workers.lab.native.sums import Added
from workers.runs.disturbing import Draws, batch_shares, gradient_noise, label_noise
from workers.runs.observations import observe_entries
from workers.runs.sequences import Numbers, Sums, joined
from workers.runs.spec import RunSpec

Array = npt.NDArray[Any]

NUMBERS_AT_ONCE = 2**14
"""Numbers of a table that are computed together."""

MOST_NUMBERS = 2**21
"""Numbers of the tables of a launch, 16 MiB in float64; a launch is shortened where the runs need more."""


@dataclass(frozen=True)
class Row:
    """The numbers of a run for one name.

    Attributes:
        key: equal for runs that read the same numbers at the same step.
        numbers: draws, or a function from the steps taken before and a count to the next numbers, in parts.
        settles_at: the step from which the numbers are all the same, None where there is none.
        width: numbers of a step.
        places: int64 (numbers of a draw,), where they stand among those of a step, zeros elsewhere; None: in order.
    """

    key: Hashable
    numbers: Draws | Callable[[int, int], list[Numbers]] = field(compare=False)
    settles_at: int | None
    width: int = 1
    places: Array | None = field(default=None, compare=False)

    def write(self, step: int, count: int, out: Array) -> list[Filled] | list[Added]:
        """Write numbers of `count` steps into `out` (count, width); what is returned is left to compiled code."""
        if isinstance(self.numbers, Draws):
            return self._write_draws(self.numbers, step, count, out)
        left, end = list[Added](), 0
        for part in self.numbers(step, count):
            begin, end = end, end + len(part)
            if isinstance(part, Sums) and sums.is_available(out.dtype.name):
                left.append(Added(part, out[begin:end, 0]))
            else:
                out[begin:end, 0] = joined([part])
        return left

    def _write_draws(self, values: Draws, step: int, count: int, out: Array) -> list[Filled]:
        if self.places is not None:
            out[...] = 0
        if draws.takes(values) and draws.is_available(out.dtype.name):
            places = None if self.places is None else self.places[:, None]
            return [Filled(values, step, count, out, self.width, places)]
        several, places = max(1, NUMBERS_AT_ONCE // self.width), slice(None) if self.places is None else self.places
        for begin in range(0, count, several):  # few enough to stay in the cache
            part = out[begin : begin + several]
            part[:, places] = values(step + begin, len(part)).reshape(len(part), -1)
        return []

    def is_settled(self, step: int) -> bool:
        """Whether the numbers do not change from a step on."""
        return self.settles_at is not None and step >= self.settles_at


class Tables:
    """The tables of the runs of a batch.

    Args:
        specs: of the runs.
        program: of their steps.
    """

    def __init__(self, specs: Sequence[RunSpec], program: Program) -> None:
        self._rows = [[_row(spec, program, name) for name in program.tables] for spec in specs]
        self._count = len(program.tables)
        self._zeros = np.zeros(max(map(program.width, program.tables), default=1))

    def steps(self, members: Array, taken: Array, wanted: int) -> int:
        """`wanted` steps, or as many as the tables of a launch have numbers for; at least 1.

        Args:
            members: positions of the runs in the batch.
            taken: (runs of the batch,), steps taken before.
        """
        changing = sum(row.width for row, step in self._distinct(members, taken) if not row.is_settled(step))
        return wanted if not changing else max(1, min(wanted, MOST_NUMBERS // changing))

    def sorted(self, members: Array, taken: Array) -> Array:
        """The runs with those that read the same numbers side by side."""
        numbers = {read: number for number, read in enumerate(self._distinct(members, taken))}
        order = [[numbers[row, int(taken[run])] for row in self._rows[run]] for run in members.tolist()]
        return members[sorted(range(len(members)), key=order.__getitem__)] if self._count else members

    def arrays(self, lanes: Array, taken: Array, steps: int, dtype: np.dtype[Any]) -> dict[str, Array]:
        """The numbers of a launch after a row of zeros; where those of each lane begin, and how far apart they are."""
        begins, end = dict[tuple[Row, int], int](), len(self._zeros)
        distinct = [(row, step, 1 if row.is_settled(step) else steps) for row, step in self._distinct(lanes, taken)]
        numbers = _memory(end + sum(row.width * count for row, _, count in distinct), dtype)
        numbers[:end] = 0
        left = list[Filled | Added]()
        for row, step, count in distinct:
            begins[row, step], begin = end, end
            end += row.width * count
            left += row.write(step, count, numbers[begin:end].reshape(count, row.width))
        draws.fill([part for part in left if isinstance(part, Filled)])
        sums.fill([part for part in left if isinstance(part, Added)])
        read = [[(row, int(taken[run])) for row in self._rows[run]] for run in lanes.tolist()]
        shape = (len(lanes), self._count)
        return {
            "tables": numbers,
            "table_begins": np.array([[begins[row] for row in of_lane] for of_lane in read], np.int64).reshape(shape),
            "table_strides": np.array(
                [[0 if row.is_settled(step) else row.width for row, step in of_lane] for of_lane in read], np.int64
            ).reshape(shape),
        }

    def _distinct(self, runs: Array, taken: Array) -> list[tuple[Row, int]]:
        """Rows of runs with the steps at which they begin, each once."""
        return list(dict.fromkeys((row, int(taken[run])) for run in runs.tolist() for row in self._rows[run]))


_kept = threading.local()


def _memory(count: int, dtype: np.dtype[Any]) -> Array:
    """Memory for the tables of a launch, kept for the next: touching new pages takes longer than filling them."""
    kept: dict[str, Array] = _kept.__dict__
    if dtype.name not in kept or len(kept[dtype.name]) < count:
        kept[dtype.name] = np.empty(count, dtype)
    return kept[dtype.name][:count]


def _row(spec: RunSpec, program: Program, name: str) -> Row:
    optimizer = spec.descent
    if name == "rate":
        rates = optimizer.rates
        return Row(rates, rates.numbers, rates.settles_at)
    if name in DISTURBANCES:
        return _disturbance(spec, name, program.width(name))
    table = program.update.tables[name]
    value, began_at = getattr(optimizer, table.field), optimizer.began_at
    return Row(
        (name, value, began_at),
        lambda first, count: table.numbers(value, first - began_at, count),
        began_at + table.settles_at(value),
    )


def _disturbance(spec: RunSpec, name: str, width: int) -> Row:
    """The draws of a run: those of measurements, or those of entries at their place in the product, zeros elsewhere."""
    drawn = {LABELS: label_noise, SHARES: batch_shares, GRADIENTS: gradient_noise}[name](spec)
    assert drawn is not None
    key = (name, spec.seed, spec.descent.batch if name == SHARES else spec.descent.noise)
    if name == GRADIENTS or not spec.problem.observes_entries:
        return Row(key, drawn, None, width)
    mask = observe_entries(spec.problem).mask
    return Row((*key, mask.tobytes()), drawn, None, width, None if mask.all() else np.flatnonzero(mask))
