"""Exports: runs and trajectories as streams of chunks of bytes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import orjson

from service.exports.arrow_types import RecordBatch, Schema
from service.exports.formats import Format
from service.exports.json_lines import on_one_line
from service.queries.catalogues import RUNS
from service.queries.expressions import Comparison, Every
from service.queries.fields import Field, Kind
from service.settings import Limits
from service.store.database import Database
from service.store.naturals import LARGEST_INTEGER
from service.store.runs import RunSelection, all_runs, list_runs
from service.use_cases.listing import ListQuery, named, select_runs
from service.use_cases.run_objects import run_object, sparse_run
from service.use_cases.run_tables import default_fields, run_batches, run_schema
from service.use_cases.trajectories import OneRun, PointQuery, by_run, in_batches, run_points, selected_points

_LINE = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


@dataclass(frozen=True)
class Stream:
    """The content of an answer.

    Attributes:
        name: file name of the content.
        thinned: whether points may have been left out; None for content without points.
    """

    format: Format
    name: str
    chunks: Iterator[bytes]
    thinned: bool | None = None


def export_runs(
    database: Database, query: ListQuery, fields: str | None, limit: int | None, to: Format, limits: Limits
) -> Stream:
    """All selected runs (at most `limit`) as a table, or as one object per line; raises InvalidPayload."""
    selection = select_runs(query, limits)
    shown = None if fields is None else named(fields, "fields", RUNS.find, limits)
    rows = islice((row for rows in all_runs(database, selection, limits.max_page_bytes) for row in rows), limit)
    if to.name == "ndjson":
        objects = (run_object(row) if shown is None else sparse_run(row, shown) for row in rows)
        chunks = (on_one_line(orjson.dumps(run, option=_LINE)) for run in objects)
    else:
        columns = shown or default_fields()
        schema = run_schema(columns, _long_fields(database, selection, columns))
        chunks = _table(schema, run_batches(rows, columns, schema), to)
    return Stream(to, f"runs.{to.extension}", chunks)


def _long_fields(database: Database, selection: RunSelection, fields: Sequence[Field]) -> list[Field]:
    """Fields in which some selected run has a number beyond 64 bits, which no integer column of a table holds."""
    naturals, long = [field for field in fields if field.kind is Kind.NATURAL], list[Field]()
    for field in naturals:
        beyond = Comparison(field, ">", LARGEST_INTEGER)
        where = beyond if selection.where is None else Every((selection.where, beyond))
        with database.reading() as connection:
            if list_runs(connection, replace(selection, where=where), 1):
                long.append(field)
    return long


def export_trajectory(database: Database, run_id: str, query: PointQuery, to: Format) -> Stream:
    """The points of one run; raises NotFound, InvalidPayload."""
    run = run_points(database, run_id, query)
    chunks = iter([_as_json(run)]) if to.name == "json" else _table(run.points.schema, [run.points], to)
    return Stream(to, f"trajectory-{run_id}.{to.extension}", chunks, run.thinned)


def export_trajectories(database: Database, runs: ListQuery, query: PointQuery, to: Format, limits: Limits) -> Stream:
    """The points of all selected runs; raises InvalidPayload."""
    from service.exports.json_points import write_items
    from service.exports.points import point_schema

    table = selected_points(database, runs, query, limits, has_header=to.name != "json")
    if to.name == "json":
        chunks = write_items(_as_json(run) for run in by_run(database, table))
    else:
        chunks = _table(point_schema(table.names), in_batches(database, table), to)
    return Stream(to, f"trajectories.{to.extension}", chunks, table.thinned)


def _as_json(run: OneRun) -> bytes:
    from service.exports.json_points import write_trajectory

    return write_trajectory(run.run_id, run.names, run.points, run.thinned)


def _table(schema: Schema, batches: Iterable[RecordBatch], to: Format) -> Iterator[bytes]:
    from service.exports.writers import WRITERS

    return WRITERS[to.name](schema, batches)
