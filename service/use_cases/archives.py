"""Archives: an experiment that is over as a Parquet file, and back with the same ids and equal values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.errors import NotAvailable
from service.exports.arrow_types import RecordBatch, Schema
from service.exports.formats import FORMATS
from service.schemas.experiments import ExperimentSize
from service.settings import Limits
from service.store import archives as store
from service.store.database import Database
from service.store.experiments import ExperimentRow
from service.store.point_streams import stream_points
from service.store.points import PointSelection
from service.store.run_rows import RunRow
from service.store.runs import RunSelection, all_runs
from service.store.sizes import size_of
from service.use_cases.experiments import find_row
from service.use_cases.exports import Stream
from service.use_cases.trajectories import metrics_there_are
from service.values.statuses import UNFINISHED, in_words
from service.values.version import VERSION
from workers.runs.costs import points_until

MOST_POINTS, MOST_NUMBERS = 2**16, 2**21
"""Of the runs of a row group, beyond its first run: points, and numbers in states."""

_OF_EXPERIMENT = ("public_id", "name", "tags", "run", "sweep", "created_at", "body_digest", "priority")


def archive(database: Database, experiment_id: str, limits: Limits) -> Stream:
    """An experiment as an archive.

    Raises:
        NotFound: no such experiment.
        NotAvailable: some of its runs are not over.
    """
    from service.exports.archives import archive_schema
    from service.exports.writers import WRITERS

    with database.reading() as connection:
        experiment = find_row(connection, experiment_id)
    _check_is_over(experiment)
    selection = RunSelection(experiment["public_id"])
    metrics = metrics_there_are(database, replace(selection, with_points=True))
    about = {name: experiment[name] for name in _OF_EXPERIMENT}
    schema = archive_schema(metrics, {"versions": {"rankward": VERSION}, "experiment": about})
    batches = (_batch(database, rows, schema) for rows in _pieces(database, selection, limits))
    chunks = WRITERS["parquet"](schema, batches)
    return Stream(FORMATS["parquet"], f"{experiment['public_id']}.parquet", chunks)


def get_size(database: Database, experiment_id: str) -> ExperimentSize:
    """How much an experiment holds; raises NotFound."""
    with database.reading() as connection:
        public_id = find_row(connection, experiment_id)["public_id"]
        size = size_of(connection, public_id)
    return ExperimentSize(experiment_id=public_id, **vars(size))


def _check_is_over(experiment: ExperimentRow) -> None:
    if any(experiment["counts"][status] for status in UNFINISHED):
        raise NotAvailable(
            f"Experiment {experiment['public_id']} has {in_words(experiment['counts'], UNFINISHED)}; wait for the end, "
            "or cancel it, and archive it then."
        )


def _pieces(database: Database, selection: RunSelection, limits: Limits) -> Iterator[Sequence[RunRow]]:
    """All runs of a selection, as many at a time as a row group holds."""
    piece, points, numbers = list[RunRow](), 0, 0
    for rows in all_runs(database, selection, limits.max_page_bytes):
        for row in rows:
            points, numbers = points + points_until(row.spec, row.step) + 1, numbers + row["numbers"]
            if piece and (points > MOST_POINTS or numbers > MOST_NUMBERS):
                yield piece
                piece, points, numbers = [], points_until(row.spec, row.step) + 1, row["numbers"]
            piece.append(row)
    if piece:
        yield piece


def _batch(database: Database, rows: Sequence[RunRow], schema: Schema) -> RecordBatch:
    from service.exports.archives import archive_batch, point_columns

    ids = [row.id for row in rows]
    with database.reading() as connection:
        rest = store.read_rest(connection, ids)
    names = tuple(field.name for field in schema.field("points").type.value_type)
    pieces = stream_points(database, ids, PointSelection(names[1:]), lambda columns: point_columns(columns, schema))
    points = [piece for read in pieces for piece in read]
    return archive_batch([_values(row, rest[row.id]) for row in rows], points, ids, schema)


def _values(row: RunRow, rest: store.Rest) -> Mapping[str, Any]:
    has_summary = row["summary_steps"] is not None
    summary = {name: row[f"summary_{name}"] for name in store.SUMMARY_COLUMNS} if has_summary else None
    return {
        **{name: row[name] for name in store.RUN_COLUMNS},
        "spec": dict(row.resolved),
        "summary": summary,
        "checkpoint": rest.checkpoint,
        "factors": rest.snapshots,
    }
