"""Fields of many runs as columns, without their objects: for groups and quantiles of hundreds of thousands of runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import sqlalchemy as sa

from service.queries.fields import NUMERIC, Field, Kind
from service.store.fields import RUN_HOME
from service.store.naturals import Natural
from service.store.raw_rows import fetch_columns
from service.store.runs import RunSelection, selected
from service.store.tables import UtcTime, runs
from service.values.numbers import spell
from workers.runs.seeds import spelled_seed

Key = tuple[Any, ...]
"""The values of fields of a run as the driver has them, equal where the fields are."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some runs of a selection, in the order of submission.

    Attributes:
        ids: internal ids, (runs,).
        keys: of the runs.
        metrics: (metrics, runs), NaN for a missing value.
    """

    ids: npt.NDArray[np.int64]
    keys: Sequence[Key]
    metrics: npt.NDArray[np.float64]


class RunColumns:
    """The columns of fields and metrics.

    Args:
        fields: scalars to group by.
        metrics: numbers.
    """

    def __init__(self, fields: Sequence[Field], metrics: Sequence[Field], dialect: sa.Dialect) -> None:
        self._fields, self._dialect = fields, dialect
        self._typed = [RUN_HOME.columns.get(field.path, sa.null()) for field in fields]
        self._json = [_json(field, dialect.name) for field in fields]
        self._metrics = [RUN_HOME.value(field, Kind.NUMBER, dialect.name) for field in metrics]

    def read(self, connection: sa.Connection, selection: RunSelection) -> Iterator[Block]:
        """All runs of a selection."""
        columns = [
            column.label(f"c{index}") for index, column in enumerate((*self._typed, *self._json, *self._metrics))
        ]
        query = selected(connection, sa.select(runs.c.id, *columns), selection).order_by(runs.c.id)
        of_keys = 2 * len(self._fields)
        for ids, *values in fetch_columns(connection, query):
            keys = list(zip(*values[:of_keys], strict=True)) if of_keys else [()] * len(ids)
            metrics = np.array(values[of_keys:], dtype=np.float64).reshape(-1, len(ids))
            yield Block(np.array(ids), keys, metrics)

    def values(self, key: Key) -> Mapping[str, Any]:
        """The values of a key as clients see them, by the fields' names."""
        typed, texts = key[: len(self._fields)], key[len(self._fields) :]
        of_fields = zip(self._fields, self._typed, typed, texts, strict=True)
        return {field.name: self._shown(column, value, text) for field, column, value, text in of_fields}

    def _shown(self, column: sa.ColumnElement[Any], typed: Any, text: str | None) -> Any:
        if typed is None:
            return None if text is None else orjson.loads(text)
        value = self._converted(column.type, typed)
        return spelled_seed(value) if isinstance(value, int) and not isinstance(value, bool) else spell(value)

    def _converted(self, kind: sa.types.TypeEngine[Any], value: Any) -> Any:
        """A driver's value of a column as SQLAlchemy would have it."""
        if isinstance(kind, Natural):
            return kind.process_result_value(value, self._dialect)
        if not isinstance(kind, sa.Boolean | UtcTime):
            return value
        convert = kind.dialect_impl(self._dialect).result_processor(self._dialect, None)
        return value if convert is None else convert(value)


def _json(field: Field, dialect: str) -> sa.ColumnElement[Any]:
    """JSON of the value where no column holds it; NULL otherwise."""
    column = RUN_HOME.columns.get(field.path)
    if column is None:
        return RUN_HOME.json(field, dialect)
    is_single = field.values.kinds <= NUMERIC or len(field.values.kinds) == 1
    if is_single and field.path not in RUN_HOME.lists:
        return sa.null()
    return sa.case((column.is_(None), RUN_HOME.json(field, dialect)))
