"""Tables of a launch: the numbers that runs read at every step, computed before it, such as the rates of a schedule.

Runs that read the same numbers share a row, and runs of one block that share all rows read them once. A row of numbers
that no longer change has a single number.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.updates import FusedUpdate
from workers.runs.optimizers import DescentBase

Array = npt.NDArray[Any]

MOST_NUMBERS = 2**21
"""Numbers of the tables of a launch, 16 MiB in float64; a launch is shortened where the runs need more."""


@dataclass(frozen=True)
class Row:
    """The numbers of a run for one name.

    Attributes:
        key: equal for runs that read the same numbers at the same step.
        values: function from the steps taken before and a count to the next numbers (count,).
        settles_at: the step from which the numbers are all the same, None where there is none.
    """

    key: Hashable
    values: Callable[[int, int], npt.NDArray[np.float64]] = field(compare=False)
    settles_at: int | None

    def is_settled(self, step: int) -> bool:
        """Whether the numbers do not change from a step on."""
        return self.settles_at is not None and step >= self.settles_at


class Tables:
    """The tables of the runs of a batch.

    Args:
        optimizers: of the runs.
        update: their step.
        names: of the tables, in the order of their memory.
    """

    def __init__(self, optimizers: Sequence[DescentBase], update: FusedUpdate, names: Sequence[str]) -> None:
        self._rows = [[_row(optimizer, update, name) for name in names] for optimizer in optimizers]
        self._count = len(names)

    def steps(self, members: Array, taken: Array, wanted: int) -> int:
        """`wanted` steps, or as many as the tables of a launch have numbers for; at least 1.

        Args:
            members: positions of the runs in the batch.
            taken: (runs of the batch,), steps taken before.
        """
        changing = sum(not row.is_settled(step) for row, step in self._distinct(members, taken))
        return wanted if not changing else max(1, min(wanted, MOST_NUMBERS // changing))

    def sorted(self, members: Array, taken: Array) -> Array:
        """The runs with those that read the same numbers side by side."""
        numbers = {read: number for number, read in enumerate(self._distinct(members, taken))}
        order = [[numbers[row, int(taken[run])] for row in self._rows[run]] for run in members.tolist()]
        return members[sorted(range(len(members)), key=order.__getitem__)] if self._count else members

    def arrays(self, lanes: Array, taken: Array, steps: int, dtype: np.dtype[Any]) -> dict[str, Array]:
        """The numbers of a launch, and where those of each lane begin and how far apart they are."""
        begins, numbers, end = dict[tuple[Row, int], int](), list[Array](), 0
        for row, step in self._distinct(lanes, taken):
            begins[row, step] = end
            numbers.append(row.values(step, 1 if row.is_settled(step) else steps).astype(dtype, copy=False))
            end += len(numbers[-1])
        read = [[(row, int(taken[run])) for row in self._rows[run]] for run in lanes.tolist()]
        shape = (len(lanes), self._count)
        return {
            "tables": _joined(numbers) if numbers else np.zeros(1, dtype),
            "table_begins": np.array([[begins[one] for one in of_lane] for of_lane in read], np.int64).reshape(shape),
            "table_strides": np.array(
                [[not row.is_settled(step) for row, step in of_lane] for of_lane in read], np.int64
            ).reshape(shape),
        }

    def _distinct(self, runs: Array, taken: Array) -> list[tuple[Row, int]]:
        """Rows of runs with the steps at which they begin, each once."""
        return list(dict.fromkeys((row, int(taken[run])) for run in runs.tolist() for row in self._rows[run]))


def _joined(numbers: Sequence[Array]) -> Array:
    """All numbers in one array; a single long one is not copied."""
    return np.ascontiguousarray(numbers[0]) if len(numbers) == 1 else np.concatenate(numbers)


def _row(optimizer: DescentBase, update: FusedUpdate, name: str) -> Row:
    if name == "rate":
        rates = optimizer.rates
        return Row(rates, rates.rates, rates.settles_at)
    table = update.tables[name]
    value, began_at = getattr(optimizer, table.field), optimizer.began_at
    return Row(
        (name, value, began_at),
        lambda first, count: table.values(value, first - began_at, count),
        began_at + table.settles_at(value),
    )
