"""Groups: the runs of an experiment by values of fields."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from service.queries.catalogues import RUNS
from service.queries.fields import Field, Kind
from service.queries.lists import scalar_field
from service.settings import Limits
from service.store.database import Database
from service.store.runs import RunSelection, all_runs
from service.use_cases.experiments import check_exists
from service.use_cases.listing import ListQuery, named, select_runs
from service.use_cases.run_objects import look_up, tagged_run

Group = dict[str, Any]


def grouping_fields(group_by: str | None, limits: Limits) -> tuple[Field, ...]:
    """The fields of a `group_by`, empty without it; raises InvalidPayload."""
    return () if group_by is None else named(group_by, "group_by", scalar_field(RUNS), limits)


def selected_in(database: Database, experiment_id: str, where: str | None, limits: Limits) -> RunSelection:
    """The selected runs of an experiment; raises NotFound, InvalidPayload."""
    check_exists(database, experiment_id)
    return select_runs(ListQuery(where=where, experiment_id=experiment_id), limits)


def grouped(
    database: Database, selection: RunSelection, fields: Sequence[Field], limits: Limits
) -> Iterable[tuple[Group, list[tuple[int, dict[str, Any]]]]]:
    """Groups in the order of their values, each with the internal ids and summaries of its runs.

    A missing field of a run is null in its group.
    """
    groups: dict[bytes, tuple[Group, list[tuple[int, dict[str, Any]]]]] = {}
    for rows in all_runs(database, selection, limits.max_page_bytes):
        for row in rows:
            run = tagged_run(row)
            group = {field.name: look_up(run, field.path)[1] for field in fields}
            groups.setdefault(orjson.dumps(group), (group, []))[1].append((row.id, run["summary"]))
    return sorted(
        groups.values(), key=lambda entry: [_sort_key(*part) for part in zip(fields, entry[0].values(), strict=True)]
    )


def _sort_key(field: Field, value: Any) -> tuple[bool, bool, Any]:
    """Sort key by which numbers precede texts, and texts precede None; a large seed is a number in digits."""
    if field.kind is Kind.NATURAL and value is not None:
        value = int(value)
    return value is None, isinstance(value, str), 0 if value is None else value
