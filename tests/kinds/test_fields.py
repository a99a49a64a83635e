"""Every field that a catalogue offers: selected by, sorted by, shown."""

import re
from functools import cache
from math import inf

import pytest
import sqlalchemy as sa

from service.queries.catalogues import EXPERIMENTS, RUNS
from service.queries.fields import SCALAR, Kind
from service.store.fields import kind_to_sort
from service.store.runs import mark_runs
from service.store.spec_columns import NAMED_COLUMNS
from service.store.tables import runs as run_table
from service.use_cases import listing
from service.use_cases.experiments import list_experiments
from service.use_cases.listing import ListQuery
from service.use_cases.run_objects import look_up
from service.use_cases.runs import list_runs
from tests.kinds.stored_fields import EXPERIMENT_FIELDS, LIMITS, RUN_FIELDS, kind_of, queried
from tests.queries.stored_runs import literal
from tests.queries.test_where import OPERATORS

PAGES = 3
"""Read of a sorted list: half of the runs that have the field to a page, so that a border lies between these."""


@cache
def ids_of(database):
    """The public ids of all runs by their internal ids."""
    with database.reading() as connection:
        return dict(connection.execute(sa.select(run_table.c.id, run_table.c.public_id)).all())


def select_runs(database, limit=1000, pages=1, **query):
    """Ids of the first selected runs, read page by page; of each its mark alone, which is most of a query."""
    wanted = ListQuery(**query)
    with database.reading() as connection:
        marks = mark_runs(connection, listing.select_runs(wanted, LIMITS), limit)
    page = [ids_of(database)[mark.row_id] for mark in marks]
    if len(marks) < limit or pages == 1:
        return page
    following = {**query, "cursor": wanted.cursor_after(marks[-1])}
    return [*page, *select_runs(database, limit, pages - 1, **following)]


def select_experiments(database, limit=1000, pages=1, **query):
    """Ids of the first selected experiments, read page by page."""
    page = list_experiments(database, ListQuery(**query), limit, LIMITS)
    is_over = page.next is None or pages == 1
    rest = [] if is_over else select_experiments(database, limit, pages - 1, **{**query, "cursor": page.next})
    return [*(item.id for item in page.items), *rest]


def chosen_of(scalars):
    """Of each kind the middle value, both booleans, and what is infinite."""
    kinds = {kind: sorted(value for other, value in scalars if other is kind) for kind, _ in scalars}
    middle = {(kind, values[len(values) // 2]) for kind, values in kinds.items()}
    return middle | {(kind, value) for kind, value in scalars if kind is Kind.BOOLEAN or value in (inf, -inf)}


def check_where(select, items, field):
    values = [(item["id"], queried(item, field)) for item in items]
    missing = [item_id for item_id, value in values if value is None]
    assert select(where=f"{field.name} IS NULL") == missing
    assert select(where=f"NOT {field.name} IS NULL") == [item_id for item_id, value in values if value is not None]
    scalars = {(kind_of(value), value) for _, value in values if kind_of(value)}
    for kind, value in sorted(chosen_of(scalars), key=repr):
        text = literal(value.isoformat() if kind is Kind.TIME else value)
        comparable = [(item_id, other) for item_id, other in values if kind_of(other) is kind]
        for sign, holds in OPERATORS.items():
            if kind is not Kind.BOOLEAN or sign in ("=", "!="):
                chosen = [item_id for item_id, other in comparable if holds(other, value)]
                assert select(where=f"{field.name} {sign} {text}") == chosen
        equal = [item_id for item_id, other in comparable if other == value]
        unequal = [item_id for item_id, other in comparable if other != value]
        assert select(where=f"{field.name} IN ({text}, {text})") == equal
        assert select(where=f"{field.name} NOT IN ({text})") == unequal
        if kind is Kind.TEXT:
            check_patterns(select, comparable, field, value)


def check_patterns(select, comparable, field, value):
    """A text as a pattern matches itself; in capitals it matches where their case does not count."""
    pattern = re.sub(r"[%_\\]", r"\\\g<0>", value)
    equal = [item_id for item_id, other in comparable if other == value]
    assert select(where=f"{field.name} LIKE {literal(pattern)}") == equal
    alike = [item_id for item_id, other in comparable if other.upper() == value.upper()]
    assert select(where=f"{field.name} ILIKE {literal(pattern.upper())}") == alike
    others = [item_id for item_id, other in comparable if other.upper() != value.upper()]
    assert select(where=f"{field.name} NOT ILIKE {literal(pattern.upper())}") == others


def check_order(select, items, field):
    kind = kind_to_sort(field)
    kind = Kind.NUMBER if kind is Kind.INTEGER else kind
    values = [(item["id"], queried(item, field)) for item in items]
    present = [(item_id, value) for item_id, value in values if kind_of(value) is kind]
    missing = [item_id for item_id, value in values if kind_of(value) is not kind]
    for sign, reverse in (("", False), ("-", True)):
        expected = [item_id for item_id, _ in sorted(present, key=lambda pair: pair[1], reverse=reverse)]
        assert select(order_by=f"{sign}{field.name}") == [*expected, *missing]
        size = max(1, len(present) // 2)
        assert select(size, PAGES, order_by=f"{sign}{field.name}") == [*expected, *missing][: size * PAGES]


@pytest.mark.parametrize("name", RUN_FIELDS)
def test_runs_are_selected_and_sorted_by_each_field(filled, runs, name):
    field = RUNS.find(name)

    def select(*limit, **query):
        return select_runs(filled, *limit, **query)

    check_where(select, runs, field)
    if field.values.kinds & SCALAR:
        check_order(select, runs, field)


@pytest.mark.parametrize("name", EXPERIMENT_FIELDS)
def test_experiments_are_selected_and_sorted_by_each_field(filled, experiments, name):
    field = EXPERIMENTS.find(name)

    def select(*limit, **query):
        return select_experiments(filled, *limit, **query)

    check_where(select, experiments, field)
    if field.values.kinds & SCALAR:
        check_order(select, experiments, field)


def test_some_run_has_each_field_and_each_metric(runs):
    """Otherwise the tests above would say little."""
    names = [*RUNS.names(), *(f"summary.{name}" for name in RUNS.names("summary")), *NAMED_COLUMNS]
    absent = [name for name in names if all(queried(run, RUNS.find(name)) is None for run in runs)]
    assert absent == []


@pytest.mark.parametrize("name", RUN_FIELDS)
def test_a_field_alone_is_shown_as_in_the_object(filled, runs, name):
    path = RUNS.find(name).path
    shown = list_runs(filled, ListQuery(), name, 1000, LIMITS)["items"]
    for run, sparse in zip(runs, shown, strict=True):
        there_is, value = look_up(run, path)
        assert look_up(sparse, tuple(map(str, path))) == ((True, value) if there_is else (False, None))
