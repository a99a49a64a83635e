"""Lists as tables: which columns, how they sort, where the next page is, and what is wrong with a filter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from service.errors import FieldError, InvalidPayload
from service.use_cases.applicable import applicable_columns
from service.use_cases.listing import ListQuery
from service.use_cases.timings import run_timing
from service.values.field_labels import field_label
from service.values.numbers import NON_FINITE
from service.web import formats
from service.web.digits import told_apart
from workers.runs.metrics import shown_in

ROWS = 50
"""Rows of a table on one page."""

_OF_RUNS = ("index", "status", "step", "steps_per_second", "id")


@dataclass(frozen=True)
class Column:
    """A column of a table: what it shows, and the field that it sorts by; None where it does not."""

    label: str
    field: str | None

    @property
    def is_setting(self) -> bool:
        """Whether it shows something that was asked for, and not something that came of it."""
        return self.field is not None and not is_of_run(self.field)


@dataclass(frozen=True)
class Table:
    """A page of a list.

    Attributes:
        items: its rows.
        mistakes: what is wrong with the query, by parameter; there are no rows then.
        next: address of the next page, None on the last one.
    """

    path: str
    query: ListQuery
    columns: Sequence[Column]
    items: Sequence[Any]
    mistakes: Mapping[str, FieldError]
    next: str | None

    @property
    def is_narrowed(self) -> bool:
        """Whether rows may be missing because of what was asked."""
        return bool(self.query.where or self.query.cursor)

    def direction(self, column: Column) -> str:
        """How it is sorted by a column: as `aria-sort` says it."""
        orders = {f"{column.field}": "ascending", f"-{column.field}": "descending"}
        return orders.get(self.query.order_by or "", "none")

    def sorted_by(self, column: Column) -> str:
        """Address of the table sorted by a column; by the other direction if it is sorted by it already."""
        is_ascending = self.direction(column) == "ascending"
        return self._address(order_by=f"-{column.field}" if is_ascending else column.field)

    @property
    def first(self) -> str:
        """Address of the first page."""
        return self._address(order_by=self.query.order_by)

    def _address(self, **parameters: str | None) -> str:
        return address(self.path, where=self.query.where, **parameters)


def address(path: str, **parameters: str | None) -> str:
    """A path with those parameters that are not empty."""
    given = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def read_table(
    path: str,
    query: ListQuery,
    read: Callable[[ListQuery], tuple[Sequence[Any], str | None]],
    columns: Callable[[Sequence[Any]], Sequence[Column]],
) -> Table:
    """The table of a query, or of none with what is wrong with it."""
    try:
        items, cursor = read(query)
    except InvalidPayload as error:
        mistakes = {mistake.pointer.removeprefix("/"): mistake for mistake in error.errors}
        return Table(path, query, columns(()), (), mistakes, None)
    follows = address(path, where=query.where, order_by=query.order_by, cursor=cursor) if cursor else None
    return Table(path, query, columns(items), items, {}, follows)


def run_columns(swept: Sequence[str]) -> Callable[[Sequence[Mapping[str, Any]]], Sequence[Column]]:
    """The columns of a table of runs: where a run stands, what tells it from others, what came of it."""

    def of(runs: Sequence[Mapping[str, Any]]) -> Sequence[Column]:
        there_are = {name for run in runs for name in _summary_of(run["spec"])}
        metrics = [Column(field_label(name), f"summary.{name}") for name in shown_in("runs") if name in there_are]
        return [
            Column("run", "index"),
            Column("status", "status"),
            *(Column(field_label(path), path) for path in swept),
            Column("step", "step"),
            *metrics,
            Column("duration", None),
            Column("steps/s", "steps_per_second"),
            Column("id", "id"),
        ]

    return of


def column_texts(column: Column, runs: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """What a table of runs shows in a column: settings as they were given, measured numbers told apart."""
    if column.field is None:
        return [formats.duration(run_timing(run).duration) for run in runs]
    values = [value_at(run, column.field) for run in runs]
    if column.is_setting:
        return [formats.setting(value) for value in values]
    are_numbers = all(isinstance(value, int | float) or value is None or value in NON_FINITE for value in values)
    return told_apart(values) if are_numbers else [formats.shown(value) for value in values]


def is_of_run(field: str) -> bool:
    """Whether a field is of a run itself, or of what came of it, and not of its spec."""
    return field in _OF_RUNS or field.startswith("summary.")


def value_at(run: Mapping[str, Any], field: str) -> Any:
    """What a run has in a column; None where it does not apply."""
    value: Any = run if is_of_run(field) else run["spec"]
    for part in field.split("."):
        if isinstance(value, list):
            value = value[int(part)] if part.isdecimal() and int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _summary_of(spec: Mapping[str, Any]) -> tuple[str, ...]:
    columns = applicable_columns(spec)
    return (*columns.metrics, *columns.measured)
