"""Trajectories: the points of a run or of a selection of runs, as tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.errors import FieldError, InvalidPayload
from service.exports.arrow_types import RecordBatch
from service.queries.catalogues import RUNS
from service.queries.errors import QueryError
from service.settings import Limits
from service.store.database import Database
from service.store.point_streams import stream_points
from service.store.points import PointSelection
from service.store.raw_rows import Columns
from service.store.run_rows import RunRow
from service.store.runs import RunSelection, all_runs, all_specs
from service.use_cases.applicable import applicable_columns
from service.use_cases.listing import ListQuery, named, select_runs
from service.use_cases.runs import find_row
from workers.runs.metrics import METRICS

ALWAYS = ("step", "time")


@dataclass(frozen=True)
class PointQuery:
    """The unparsed parameters of a request for points."""

    metrics: str | None = None
    from_step: int | None = None
    to_step: int | None = None
    max_points: int | None = None


@dataclass(frozen=True)
class PointTable:
    """Points of runs, which can be read once.

    Attributes:
        names: columns beside the run's id; of a table without a header those that any run may have.
        runs: rows of the runs, in chunks.
        thinned: whether points may have been left out.
        has_header: whether all rows have all columns.
    """

    names: tuple[str, ...]
    runs: Iterator[Sequence[RunRow]]
    query: PointQuery
    thinned: bool
    has_header: bool = False


@dataclass(frozen=True)
class OneRun:
    """The points of a single run.

    Attributes:
        names: columns that apply to it.
    """

    run_id: str
    names: Sequence[str]
    points: RecordBatch
    thinned: bool


def run_points(database: Database, run_id: str, query: PointQuery) -> OneRun:
    """Points of a run: `step`, `time`, then the requested metrics, by default all that apply.

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


def selected_points(
    database: Database, runs: ListQuery, query: PointQuery, limits: Limits, has_header: bool
) -> PointTable:
    """Points of a selection of runs, in the order of submission; runs without a point are not read.

    Without `metrics`, the columns are those that apply to any selected run. A header needs them before the first point,
    so the specs of all selected runs are read before; without a header the points follow at once.

    Raises:
        InvalidPayload: a mistake in the query.
    """
    selection = replace(select_runs(runs, limits), with_points=True)
    if query.metrics is not None:
        chosen = _existing(query.metrics, limits)
    else:
        chosen = metrics_there_are(database, selection) if has_header else METRICS
    rows = all_runs(database, selection, limits.max_page_bytes)
    return PointTable((*ALWAYS, *chosen), rows, query, query.max_points is not None, has_header)


def by_run(database: Database, table: PointTable) -> Iterator[OneRun]:
    """The points of each run with points."""
    from service.exports.points import split_by_run, thin_run

    for rows in table.runs:
        by_id = {row.public_id: _applying(row.resolved) for row in rows}
        for batch in split_by_run(_read(database, rows, table if table.has_header else _narrowed(table, by_id))):
            run_id = batch.column(0)[0].as_py()
            points = batch if table.query.max_points is None else thin_run(batch, table.query.max_points)
            names = [name for name in table.names if name in by_id[run_id]]
            yield OneRun(run_id, names, points, points.num_rows < batch.num_rows)


def in_batches(database: Database, table: PointTable) -> Iterator[RecordBatch]:
    """The points of all runs, in batches of some ten thousand."""
    from service.exports.points import gathered

    if table.query.max_points is None:
        return (batch for rows in table.runs for batch in _read(database, rows, table))
    return gathered(run.points for run in by_run(database, table))


def _read(database: Database, rows: Sequence[RunRow], table: PointTable) -> Iterator[RecordBatch]:
    import pyarrow as pa

    from service.exports.points import PointedRun, point_batch, point_schema

    pointed = {row.id: PointedRun(row.public_id, _applying(row.resolved)) for row in rows}
    selection = PointSelection(table.names[1:], table.query.from_step, table.query.to_step)
    schema = point_schema(table.names)

    def convert(columns: Columns) -> RecordBatch:
        return point_batch(columns, pointed, schema)

    for batches in stream_points(database, list(pointed), selection, convert):
        yield pa.concat_batches(batches)


def _applying(resolved: Mapping[str, Any]) -> frozenset[str]:
    return frozenset((*ALWAYS, *applicable_columns(resolved).metrics))


def _narrowed(table: PointTable, applying: Mapping[str, frozenset[str]]) -> PointTable:
    """A table with the columns alone that apply to some of its next runs."""
    some = frozenset[str]().union(*applying.values())
    return replace(table, names=tuple(name for name in table.names if name in some))


def metrics_there_are(database: Database, selection: RunSelection) -> tuple[str, ...]:
    """The metrics that apply to some run of a selection; to the first ones where no run has a point yet."""
    applying = set[str]()
    for specs in all_specs(database, selection):
        applying = applying.union(*map(_applying, specs))
        if applying.issuperset(METRICS):
            break
    if not applying:  # no run has a point yet: the first runs say what there will be
        first = next(all_specs(database, replace(selection, with_points=False)))
        applying = applying.union(*map(_applying, first))
    return tuple(name for name in METRICS if name in applying)


def _existing(metrics: str, limits: Limits) -> tuple[str, ...]:
    def find(name: str, position: int) -> str:
        if name not in METRICS and name not in ALWAYS:
            RUNS.find(
                f"summary.{name}", position - len("summary.")
            )  # raises with a suggestion if no field has this name
            raise QueryError(position, f"{name} is not recorded at each point; it stands in the summary alone.")
        return name

    requested = named(metrics, "metrics", find, limits)
    return tuple(name for name in METRICS if name in requested)


def _chosen(applicable: Sequence[str], query: PointQuery) -> Sequence[str]:
    if not query.metrics:
        return applicable
    requested = [name.strip() for name in query.metrics.split(",") if name.strip()]
    for name in requested:
        if name not in (*applicable, *ALWAYS):
            why = "does not apply to this run" if name in METRICS else "does not exist"
            detail = f"The metric {name!r} {why}; this run has {', '.join(applicable)}."
            raise InvalidPayload([FieldError("/metrics", detail, query.metrics.index(name))])
    return [name for name in applicable if name in requested]
