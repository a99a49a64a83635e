"""Runs in the store: selections, and reads with summaries and factors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from service.queries.expressions import Expression
from service.queries.lists import Key
from service.store.database import Database
from service.store.fields import RUN_HOME
from service.store.filters import Filter
from service.store.keyset import Keyset, Mark
from service.store.run_rows import RunRow
from service.store.spans import span_of
from service.store.spec_parts import SPEC_COLUMNS, spec_bytes, whole_specs
from service.store.tables import SHOWN, checkpoints, experiments, runs, summaries
from workers.runs.parts import Parts, WholeSpec

CHUNK = 1000
"""Runs per read of a complete selection."""


@dataclass(frozen=True)
class RunSelection:
    """The runs of a list: conditions, an order (submission by default), and the row after which the list starts.

    Attributes:
        with_points: whether only runs are read of which a point may be stored.
    """

    experiment_id: str | None = None
    status: str | None = None
    where: Expression | None = None
    order: tuple[Key, ...] = ()
    after: Mark | None = None
    with_points: bool = False


@dataclass(frozen=True)
class RunPage:
    """Runs of a selection, and the mark of each for the next page.

    Attributes:
        is_last: whether the selection has no run after these.
    """

    rows: Sequence[RunRow]
    marks: Sequence[Mark]
    is_last: bool


_SUMMARY = [column.label(f"summary_{column.name}") for column in summaries.c if column.name != "run_id"]
_OF_EXPERIMENT = ("public_id", "name", "priority", "created_at", "tags")
_EXPERIMENT = [experiments.c[name].label(f"experiment_{name}") for name in _OF_EXPERIMENT]
_WITH_EXPERIMENTS = runs.join(experiments, runs.c.experiment_id == experiments.c.id)
_OF_RUN = summaries.c.run_id == runs.c.id
_JOINED = _WITH_EXPERIMENTS.outerjoin(summaries, _OF_RUN)
_RUNS = sa.select(runs, *_EXPERIMENT, *_SUMMARY).select_from(_JOINED).where(SHOWN)


def find_run(connection: sa.Connection, public_id: str) -> RunRow | None:
    """A run with its summary and its experiment's id and tags; None without such a run."""
    rows = connection.execute(_RUNS.where(runs.c.public_id == public_id)).mappings().all()
    return next(iter(_whole(connection, rows)), None)


# A stored slice adds compute time, a lease changes the status, and every other change of a run takes a revision.
_VERSION = (runs.c.id, runs.c.revision, runs.c.status, runs.c.step, runs.c.compute_seconds)


def find_version(connection: sa.Connection, public_id: str) -> tuple[Any, ...] | None:
    """A version of a run, its summary and its points, which differs between their states; None without such a run."""
    query = sa.select(*_VERSION).join(experiments, runs.c.experiment_id == experiments.c.id)
    row = connection.execute(query.where(runs.c.public_id == public_id, SHOWN)).first()
    return None if row is None else tuple(row)


def list_runs(connection: sa.Connection, selection: RunSelection, limit: int) -> Sequence[RunRow]:
    """The first runs of a selection."""
    return _read(connection, mark_runs(connection, selection, limit))


def read_page(
    connection: sa.Connection, selection: RunSelection, limit: int, most_bytes: int, known: Parts | None = None
) -> RunPage:
    """The first runs of a selection, at most `limit`; fewer, but one at least, if their specs take more bytes.

    Args:
        known: parts of specs that were read before.
    """
    marks = mark_runs(connection, selection, limit + 1)
    fitting = marks[: _fitting(connection, marks[:limit], most_bytes)]
    return RunPage(_read(connection, fitting, known), fitting, is_last=len(fitting) == len(marks))


def mark_runs(connection: sa.Connection, selection: RunSelection, limit: int) -> Sequence[Mark]:
    """Internal ids and sort values of the first runs of a selection, without their other columns."""
    dialect, query = connection.dialect.name, selected(connection, sa.select(runs.c.id), selection)
    return Keyset(RUN_HOME, selection.order, runs.c.id, dialect).read(connection, query, selection.after, limit)


def selected(connection: sa.Connection, query: sa.Select[Any], selection: RunSelection) -> sa.Select[Any]:
    """A query of columns of runs, their experiments and summaries, narrowed to the runs of a selection."""
    span = span_of(connection, selection.experiment_id, selection.where)
    if span is None:
        return _where(query.select_from(_JOINED), selection, connection.dialect.name)
    of_run = sa.and_(_OF_RUN, summaries.c.run_id.between(span.first, span.last))
    joined = _WITH_EXPERIMENTS.outerjoin(summaries, of_run)
    return _where(query.select_from(joined).where(span.condition(connection)), selection, connection.dialect.name)


def all_runs(database: Database, selection: RunSelection, most_bytes: int) -> Iterator[Sequence[RunRow]]:
    """All runs of a selection in chunks, see `read_page`; no connection is held between chunks.

    The first chunk is read at once, so that errors come before an answer begins.
    """
    chunks = _chunks(database, selection, most_bytes)
    return chain([first] if (first := next(chunks, None)) else (), chunks)


def _chunks(database: Database, selection: RunSelection, most_bytes: int) -> Iterator[Sequence[RunRow]]:
    is_last, parts = False, Parts({})
    while not is_last:
        with database.reading() as connection:
            page = read_page(connection, selection, CHUNK, most_bytes, parts)
        if page.rows:
            parts = page.rows[-1].resolved.pieces.parts
            yield page.rows
        is_last = page.is_last
        selection = replace(selection, after=page.marks[-1]) if page.marks else selection


def all_specs(database: Database, selection: RunSelection) -> Iterator[Sequence[WholeSpec]]:
    """The specs of a selection, in chunks as `all_runs`, and several times as fast."""
    parts = Parts({})
    while True:
        with database.reading() as connection:
            marks = mark_runs(connection, selection, CHUNK)
            wanted = sa.select(*SPEC_COLUMNS).where(runs.c.id.in_([mark.row_id for mark in marks]))
            specs = whole_specs(connection, connection.execute(wanted).mappings(), parts)
        yield specs
        if len(marks) < CHUNK:
            return
        selection, parts = replace(selection, after=marks[-1]), specs[-1].pieces.parts if specs else parts


def searches_ranks(connection: sa.Connection, run_id: int) -> bool:
    """Whether the descent of a run is over and the search for its ranks is not."""
    searching = sa.select(checkpoints.c.run_id).where(
        checkpoints.c.run_id == run_id, checkpoints.c.rank_search.is_not(None)
    )
    return connection.scalar(searching) is not None


def read_state(connection: sa.Connection, run_id: int, precision: str) -> npt.NDArray[Any] | None:
    """The run's stored state (factors, then the optimiser's vectors); None before the first stored slice."""
    state = connection.execute(sa.select(checkpoints.c.state).where(checkpoints.c.run_id == run_id)).scalar()
    return None if state is None else np.frombuffer(state, dtype=precision)


def _where(query: sa.Select[Any], selection: RunSelection, dialect: str) -> sa.Select[Any]:
    query = query.where(SHOWN)
    if selection.status is not None:
        query = query.where(runs.c.status == selection.status)
    if selection.with_points:  # a slice that stores points stores a summary
        query = query.where(summaries.c.run_id.is_not(None))
    if selection.where is not None:
        query = query.where(Filter(RUN_HOME, dialect).condition(selection.where))
    return query


def _fitting(connection: sa.Connection, marks: Sequence[Mark], most_bytes: int) -> int:
    """How many of the first marked runs have specs that take at most so many bytes together; one at least."""
    ids = [mark.row_id for mark in marks]
    sizes = spec_bytes(connection, runs.c.id.in_(ids))
    taken = accumulate(sizes.get(row_id, 0) for row_id in ids)
    return max(sum(total <= most_bytes for total in taken), 1)


def _read(connection: sa.Connection, marks: Sequence[Mark], known: Parts | None = None) -> Sequence[RunRow]:
    if not marks:
        return []
    rows = connection.execute(_RUNS.where(runs.c.id.in_([mark.row_id for mark in marks]))).mappings().all()
    by_id = {row.id: row for row in _whole(connection, rows, known)}
    return [by_id[mark.row_id] for mark in marks if mark.row_id in by_id]


def _whole(
    connection: sa.Connection, rows: Sequence[Mapping[Any, Any]], known: Parts | None = None
) -> Iterator[RunRow]:
    return map(RunRow, rows, whole_specs(connection, rows, known))
