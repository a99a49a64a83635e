"""Starts at the factors of other runs: read when an experiment is submitted, and stored with each of its runs.

Workers know no database, and the other run may go on or be deleted. A stored run therefore has the factors themselves.
"""

from math import prod
from typing import Any

import numpy as np
import sqlalchemy as sa
from cachetools import LRUCache

from service.errors import AmbiguousId
from service.limits import Violation, exceeded
from service.settings import Limits
from service.store import runs as store
from service.store.database import Database
from service.store.run_rows import RunRow
from service.store.short_ids import full_id
from workers.runs.factors import split_factors
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

    def __init__(self, path: tuple[str, ...], detail: str) -> None:
        super().__init__(detail)
        self.violation: Violation = (path, detail)


class RunStarts:
    """Fills in starts at other runs; within a submission each of those is read once.

    Attributes:
        most_bytes: what the largest start filled in so far takes in a spec.
    """

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database, self._limits, self.most_bytes = database, limits, 0
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
        self.most_bytes = max(self.most_bytes, BYTES_PER_NUMBER * numbers)
        return spec.model_copy(update={"init": start})

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
    try:
        row = store.find_run(connection, full_id(connection, "run", start.id))
    except AmbiguousId as error:
        raise StartNotRead(_ID, error.detail) from None
    if row is None:
        raise StartNotRead(_ID, f"There is no run {start.id!r}; GET /v1/runs lists those there are.")
    state = _state(connection, row, start.step)
    if not np.isfinite(state).all():
        raise StartNotRead(_ID, f"Run {start.id} has left the finite numbers; start from another run.")
    factors = [factor.tolist() for factor in split_factors(state, row.spec.factor_shapes)]
    update = {"id": row["public_id"], "step": row.step, "factors": _as_tuples(factors)}
    return start.model_copy(update=update)


def _state(connection: sa.Connection, row: RunRow, step: int | None) -> Any:
    """The factors of a run as they stand, flat; `step` may say at which step that is.

    Factors of earlier steps are to be read here, once they are stored.
    """
    if step is not None and step != row.step:
        raise StartNotRead(
            _STEP, f"Of run {row['public_id']} the factors at step {row.step} are stored and no others; leave this out."
        )
    state = store.read_state(connection, row.id, row.spec.precision)
    if state is None:
        raise StartNotRead(
            _ID, f"Run {row['public_id']} has stored no factors yet; submit this again once its step is above 0."
        )
    return state[: sum(map(prod, row.spec.factor_shapes))].astype(np.float64)


def _check_shapes(start: OtherRun, spec: RunSpec) -> None:
    theirs = [(len(factor), len(factor[0])) for factor in start.factors or ()]
    if theirs != (ours := list(spec.factor_shapes)):
        said = " and ".join(", ".join(f"{rows} x {columns}" for rows, columns in shapes) for shapes in (theirs, ours))
        raise StartNotRead(
            _ID, f"The factors of that run and of this model are {said}; start from a run of this model."
        )


def _as_tuples(nested: Any) -> Any:
    return tuple(map(_as_tuples, nested)) if isinstance(nested, list) else nested


def _numbers(start: OtherRun) -> int:
    return sum(len(factor) * len(factor[0]) for factor in start.factors or ())
