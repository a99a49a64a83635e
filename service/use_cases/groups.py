"""Groups: the runs of an experiment by values of fields, read as columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from service.queries.catalogues import RUNS
from service.queries.fields import Field, Kind
from service.queries.lists import scalar_field
from service.settings import Limits
from service.store.database import Database
from service.store.run_columns import Key, RunColumns
from service.store.runs import RunSelection
from service.use_cases.experiments import check_exists
from service.use_cases.listing import ListQuery, named, select_runs


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that have equal values of some fields.

    Attributes:
        values: by the fields' names; None where a run has none.
        ids: internal ids of the runs, ascending.
        metrics: (metrics, runs), NaN for a missing value.
    """

    values: Mapping[str, Any]
    ids: npt.NDArray[np.int64]
    metrics: npt.NDArray[np.float64]


def grouping_fields(group_by: str | None, limits: Limits) -> tuple[Field, ...]:
    """The fields of a `group_by`, empty without it; raises InvalidPayload."""
    return () if group_by is None else named(group_by, "group_by", scalar_field(RUNS), limits)


def selected_in(database: Database, experiment_id: str, where: str | None, limits: Limits) -> RunSelection:
    """The selected runs of an experiment; raises NotFound, InvalidPayload."""
    check_exists(database, experiment_id)
    return select_runs(ListQuery(where=where, experiment_id=experiment_id), limits)


def grouped(
    database: Database, selection: RunSelection, fields: Sequence[Field], metrics: Sequence[Field] = ()
) -> list[Group]:
    """Groups in the order of their values, with the last values of metrics."""
    numbers: dict[Key, int] = {}
    codes, ids, last = list[int](), list[Any](), list[Any]()
    with database.reading() as connection:
        columns = RunColumns(fields, metrics, connection.dialect)
        for block in columns.read(connection, selection):
            codes += [numbers.setdefault(key, len(numbers)) for key in block.keys]
            ids.append(block.ids)
            last.append(block.metrics)
    if not numbers:
        return []
    by_code = np.argsort(np.array(codes), kind="stable")
    ends = np.cumsum(np.bincount(codes))[:-1]
    of_groups = zip(
        map(columns.values, numbers),
        np.split(np.concatenate(ids)[by_code], ends),
        np.split(np.concatenate(last, axis=1)[:, by_code], ends, axis=1),
        strict=True,
    )
    return sorted((Group(*of_group) for of_group in of_groups), key=lambda group: _sort_key(fields, group))


def _sort_key(fields: Sequence[Field], group: Group) -> list[tuple[int, Any]]:
    return [_key(field, group.values[field.name]) for field in fields]


def _key(field: Field, value: Any) -> tuple[int, Any]:
    """Sort key: numbers, then texts, lists and objects, then None; a large seed is a number in digits."""
    if value is None:
        return 3, 0
    if isinstance(value, list | dict):
        return 2, orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    number = int(value) if field.kind is Kind.NATURAL else value
    return int(isinstance(number, str)), number
