"""Starts at the factors of other runs: read when an experiment is submitted, and stored with each of its runs.

Workers know no database, and the other run may go on or be deleted. A stored run therefore has the factors themselves.
"""

from math import prod
from typing import Any

import numpy as np
import sqlalchemy as sa
from cachetools import LRUCache

from service.errors import AmbiguousId, NotAvailable, NotFound
from service.limits import Path, Violation, exceeded
from service.settings import Limits
from service.store.database import Database
from service.store.run_rows import RunRow
from service.store.short_ids import full_id
from service.use_cases.factors import Factors, factors_at
from service.use_cases.runs import find_row
from workers.runs.spec import RunSpec
from workers.runs.starts import OtherRun

NUMBERS_KEPT = 2_000_000
"""Numbers of starts that are kept for further runs of a submission; as Python has them, 64 MB."""

BYTES_PER_NUMBER = 25
"""Most bytes of a number in a spec."""

_ID, _STEP = ("init", "id"), ("init", "step")


class StartNotRead(Exception):
    """Another run's factors cannot be the start.

    Attributes:
        violation: path of the field to change, and a sentence of advice.
    """

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(detail)
        self.violation: Violation = (path, detail)


class RunStarts:
    """Fills in starts at other runs; within a submission each of those is read once.

    Attributes:
        most_bytes: what the largest start filled in so far takes in a spec.
        all_bytes: what all of them take.
    """

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database, self._limits, self.most_bytes, self.all_bytes = database, limits, 0, 0
        self._counted: set[tuple[str, int | None]] = set()
        self._kept: LRUCache[tuple[str, int | None], OtherRun] = LRUCache(NUMBERS_KEPT, getsizeof=_numbers)

    def filled_in(self, spec: RunSpec) -> RunSpec:
        """The spec with the factors of the run at which it starts; raises StartNotRead."""
        if not isinstance(spec.init, OtherRun) or spec.init.factors is not None or not spec.model.is_trained:
            return spec
        if (numbers := sum(map(prod, spec.factor_shapes))) > self._limits.max_start_numbers:
            subject = "The numbers of this start from another run are"
            raise StartNotRead(_ID, exceeded(subject, numbers, self._limits, "max_start_numbers"))
        start = self._read(spec.init)
        _check_shapes(start, spec)
        self._count((spec.init.id, spec.init.step), BYTES_PER_NUMBER * numbers)
        return spec.model_copy(update={"init": start})

    def _count(self, start: tuple[str, int | None], size: int) -> None:
        self.most_bytes = max(self.most_bytes, size)
        self.all_bytes += 0 if start in self._counted else size
        self._counted.add(start)

    def _read(self, start: OtherRun) -> OtherRun:
        key = (start.id, start.step)
        read = self._kept.get(key)
        if read is None:
            with self._database.reading() as connection:
                read = _with_factors(connection, start)
            if _numbers(read) <= NUMBERS_KEPT:
                self._kept[key] = read
        return read


def _with_factors(connection: sa.Connection, start: OtherRun) -> OtherRun:
    row = _row(connection, start.id)
    factors = _factors(connection, row, start.step)
    if not all(np.isfinite(factor).all() for factor in factors):
        raise StartNotRead(_ID, f"Run {start.id} has left the finite numbers; start from another run.")
    step = row.step if start.step is None else start.step
    nested = _as_tuples([factor.astype(np.float64).tolist() for factor in factors])
    return start.model_copy(update={"id": row.public_id, "step": step, "factors": nested})


def _row(connection: sa.Connection, run_id: str) -> RunRow:
    try:
        return find_row(connection, full_id(connection, "run", run_id))
    except AmbiguousId as error:
        raise StartNotRead(_ID, error.detail) from None
    except NotFound:
        raise StartNotRead(_ID, f"There is no run {run_id!r}; GET /v1/runs lists those there are.") from None


def _factors(connection: sa.Connection, row: RunRow, step: int | None) -> Factors:
    """The factors of a run at a step: as they stand, or as they were kept."""
    try:
        return factors_at(connection, row.public_id, None if step == row.step else step)
    except NotAvailable:
        detail = f"Run {row.public_id} has stored no factors yet; submit this again once its step is above 0."
        raise StartNotRead(_ID, detail) from None
    except NotFound as error:
        raise StartNotRead(_STEP, f"{error.detail} As it stands, it is at step {row.step}.") from None


def _check_shapes(start: OtherRun, spec: RunSpec) -> None:
    theirs = [np.shape(factor) for factor in start.factors or ()]
    if theirs != (ours := list(spec.factor_shapes)):
        said = " and ".join(", ".join(" x ".join(map(str, shape)) for shape in shapes) for shapes in (theirs, ours))
        raise StartNotRead(
            _ID, f"The factors of that run and of this model are {said}; start from a run of this model."
        )


def _as_tuples(nested: Any) -> Any:
    return tuple(map(_as_tuples, nested)) if isinstance(nested, list) else nested


def _numbers(start: OtherRun) -> int:
    return sum(np.size(factor) for factor in start.factors or ())
