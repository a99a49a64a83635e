"""Tables of numbers in specs as arrays: compared and hashed by their content, hashed once."""

from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import PlainSerializer

from workers.runs.base import misfit

Numbers = npt.NDArray[np.float64]


class Table:
    """Rows of numbers, or single numbers, as an array.

    Args:
        numbers: (rows, columns), or (rows,) where each row is a number.
    """

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    @property
    def rows(self) -> Numbers:
        """(rows, columns); a number is a row of a single column."""
        return self._numbers if self._numbers.ndim == 2 else self._numbers[:, None]

    def __len__(self) -> int:
        return len(self._numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and np.array_equal(self._numbers, other._numbers)

    def __hash__(self) -> int:
        return self._digest

    @cached_property
    def _digest(self) -> int:
        content = blake2b((self._numbers + 0.0).tobytes(), digest_size=8)  # no -0.0, which equals 0.0
        return int.from_bytes(content.digest(), "big")

    def as_json(self) -> list[Any]:
        """The table as JSON values."""
        return self._numbers.tolist()


def to_table(rows: Any) -> Any:
    """Nested tuples of numbers as a table; what is no table stays, for `check_rows` to point at."""
    if isinstance(rows, Table):
        return rows
    try:
        numbers = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        return rows
    return Table(numbers) if numbers.ndim in (1, 2) and numbers.size else rows


def check_rows(table: Any, name: str, *, may_be_numbers: bool) -> None:
    """Raise a misfit at the first row that is unlike the first.

    Args:
        name: of the field.
        may_be_numbers: whether a row may be a single number.
    """
    if isinstance(table, Table) and (may_be_numbers or np.ndim(table.as_json()[0])):
        return
    first = 1 if not isinstance(table, Table) and not isinstance(table[0], tuple) else None
    rows = table.as_json() if isinstance(table, Table) else table
    width = first or (len(rows[0]) if isinstance(rows[0], tuple) else 0)
    for number, row in enumerate(rows):
        _check_row(row, rows[0], width, (name, number), may_be_numbers)


def _check_row(row: Any, first: Any, width: int, pointer: tuple[str, int], may_be_numbers: bool) -> None:
    is_list = isinstance(row, tuple)
    if not is_list and not (may_be_numbers and not isinstance(first, tuple)):
        raise misfit(pointer, "Give a list of numbers here, as long as every other.")
    if is_list and (not isinstance(first, tuple) or len(row) != width or not row):
        raise misfit(pointer, f"Row 0 has {width} and this has {len(row)} numbers; give every row as many, at least 1.")
    if is_list and any(isinstance(number, tuple) for number in row):
        raise misfit(pointer, "These lists are nested too deeply; give a list of numbers.")


def _as_json(rows: Any) -> Any:
    return rows.as_json() if isinstance(rows, Table) else rows


AS_ROWS = PlainSerializer(_as_json, return_type=list[Any])
"""Marks a field that holds a Table."""
