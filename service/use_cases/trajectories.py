"""Trajectories: the points of one run or of any selection, as tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.errors import FieldError, InvalidPayload
from service.exports.arrow_types import RecordBatch
from service.queries.catalogues import RUNS
from service.queries.errors import QueryError
from service.settings import Limits
from service.store.database import Database
from service.store.points import Columns, PointSelection, stream_points
from service.store.run_rows import RunRow
from service.store.runs import RunSelection, all_runs
from service.use_cases.applicable import applicable_columns
from service.use_cases.listing import ListQuery, named, select_runs
from service.use_cases.runs import find_row
from workers.runs.metrics import METRICS

ALWAYS = ("step", "time")


@dataclass(frozen=True)
class PointQuery:
    """Which points a request asks for, as it came."""

    metrics: str | None = None
    from_step: int | None = None
    to_step: int | None = None
    max_points: int | None = None


@dataclass(frozen=True)
class PointTable:
    """Points of runs, to be read once.

    Attributes:
        names: of the columns beside the run's id.
        runs: chunks of the runs' rows.
        thinned: whether points may have been left out.
    """

    names: tuple[str, ...]
    runs: Iterator[Sequence[RunRow]]
    query: PointQuery
    thinned: bool


@dataclass(frozen=True)
class OneRun:
    """The points of one run.

    Attributes:
        names: of the columns that apply to it.
    """

    run_id: str
    names: Sequence[str]
    points: RecordBatch
    thinned: bool


def run_points(database: Database, run_id: str, query: PointQuery) -> OneRun:
    """Points of one run: `step` and `time`, then the asked metrics, all that apply by default.

    Raises:
        NotFound: no such run.
        InvalidPayload: a metric that does not exist, or does not apply to this run.
    """
    from service.exports.points import empty_batch

    with database.reading() as connection:
        row = find_row(connection, run_id)
    names = (*ALWAYS, *_chosen(applicable_columns(row.resolved).metrics, query))
    table = PointTable(names, iter([[row]]), query, thinned=False)
    return next(by_run(database, table), OneRun(run_id, names, empty_batch(names), thinned=False))


def selected_points(database: Database, runs: ListQuery, query: PointQuery, limits: Limits) -> PointTable:
    """Points of a selection of runs, in the order of submission.

    Without `metrics`, the columns are those that apply to some selected run.

    Raises:
        InvalidPayload: the query says what cannot be asked.
    """
    selection = select_runs(runs, limits)
    chosen = _some_apply(database, selection) if query.metrics is None else _existing(query.metrics, limits)
    return PointTable((*ALWAYS, *chosen), all_runs(database, selection), query, query.max_points is not None)


def by_run(database: Database, table: PointTable) -> Iterator[OneRun]:
    """The points of each run that has any."""
    from service.exports.points import split_by_run, thin_run

    for rows in table.runs:
        by_id = {row.public_id: _applying(row) for row in rows}
        for whole in split_by_run(_read(database, rows, table)):
            run_id = whole.column(0)[0].as_py()
            points = whole if table.query.max_points is None else thin_run(whole, table.query.max_points)
            names = [name for name in table.names if name in by_id[run_id]]
            yield OneRun(run_id, names, points, points.num_rows < whole.num_rows)


def in_batches(database: Database, table: PointTable) -> Iterator[RecordBatch]:
    """The points of all runs, a few ten thousand at a time."""
    from service.exports.points import gathered

    if table.query.max_points is None:
        return (batch for rows in table.runs for batch in _read(database, rows, table))
    return gathered(run.points for run in by_run(database, table))


def _read(database: Database, rows: Sequence[RunRow], table: PointTable) -> Iterator[RecordBatch]:
    import pyarrow as pa

    from service.exports.points import PointedRun, point_batch, point_schema

    pointed = {row.id: PointedRun(row.public_id, _applying(row)) for row in rows}
    selection = PointSelection(table.names[1:], table.query.from_step, table.query.to_step)
    schema = point_schema(table.names)

    def convert(columns: Columns) -> RecordBatch:
        return point_batch(columns, pointed, schema)

    for batches in stream_points(database, list(pointed), selection, convert):
        yield pa.concat_batches(batches)


def _applying(row: RunRow) -> frozenset[str]:
    return frozenset((*ALWAYS, *applicable_columns(row.resolved).metrics))


def _some_apply(database: Database, selection: RunSelection) -> tuple[str, ...]:
    some = {name for rows in all_runs(database, selection) for row in rows for name in _applying(row)}
    return tuple(name for name in METRICS if name in some)


def _existing(metrics: str, limits: Limits) -> tuple[str, ...]:
    def find(name: str, position: int) -> str:
        if name not in METRICS and name not in ALWAYS:
            RUNS.find(f"summary.{name}", position - len("summary."))  # says what it is like
            raise QueryError(position, f"{name} is not recorded at each point; it stands in the summary alone.")
        return name

    asked = named(metrics, "metrics", find, limits)
    return tuple(name for name in METRICS if name in asked)


def _chosen(applicable: Sequence[str], query: PointQuery) -> Sequence[str]:
    if not query.metrics:
        return applicable
    asked = [name.strip() for name in query.metrics.split(",") if name.strip()]
    for name in asked:
        if name not in (*applicable, *ALWAYS):
            why = "does not apply to this run" if name in METRICS else "does not exist"
            detail = f"The metric {name!r} {why}; this run has {', '.join(applicable)}."
            raise InvalidPayload([FieldError("/metrics", detail, query.metrics.index(name))])
    return [name for name in applicable if name in asked]
