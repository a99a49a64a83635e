"""Pages: read one after the other they give every row once, in order, whatever is missing or alike."""

import math
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import InvalidPayload
from service.queries.catalogues import RUNS
from service.settings import Limits
from service.use_cases.experiments import list_experiments
from service.use_cases.listing import ListQuery
from service.use_cases.run_objects import look_up
from service.use_cases.runs import list_runs

LIMITS = Limits()
SORTABLE = (
    "status",
    "outcome",
    "step",
    "created_at",
    "finished_at",
    "steps_per_second",
    "model.depth",
    "model.rank",
    "init.balanced",
    "problem.measurements",
    "summary.loss",
    "summary.steps",
    "summary.singular_values[1]",
    "tags.paper",
    'tags."my tag"',
    "error",
)
keys = st.lists(st.tuples(st.sampled_from(SORTABLE), st.booleans()), max_size=3, unique_by=lambda key: key[0])


def written(keys):
    return ",".join(f"{name} desc" if descending else name for name, descending in keys) or None


def read_pages(database, query, limit, fields="id"):
    items, cursor = [], None
    while True:
        asked = ListQuery(query.where, query.order_by, cursor, query.experiment_id)
        page = list_runs(database, asked, fields, limit, LIMITS)
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


@pytest.mark.slow
@given(keys=keys, limit=st.integers(1, 40))
@settings(max_examples=30)
def test_pages_put_together_are_the_sorted_list(stored, keys, limit):
    query = ListQuery("step < 5", written(keys))
    fields = ",".join(["id", "index", "tags", "summary", "spec", *dict.fromkeys(name for name, _ in keys)])
    everything = list_runs(stored, ListQuery("step < 5"), None, 1000, LIMITS)["items"]
    found = read_pages(stored, query, limit, fields)
    assert sorted(run["id"] for run in found) == sorted(run["id"] for run in everything)
    places = {run["id"]: place for place, run in enumerate(everything)}
    expected = sorted(found, key=lambda run: places[run["id"]])
    for name, descending in reversed(keys):
        expected = sorted_by(expected, RUNS.find(name).path, descending)
    assert [run["id"] for run in found] == [run["id"] for run in expected]


def sorted_by(runs, path, descending):
    """By one key, what is missing last; Python's sort keeps the order of those that are alike."""
    there = [run for run in runs if value_at(run, path) is not None]
    missing = [run for run in runs if value_at(run, path) is None]
    return sorted(there, key=lambda run: value_at(run, path), reverse=descending) + missing


def value_at(run, path):
    _, value = look_up(run, path)
    if path[0] == "summary":
        value = None if value is None else float(value)
        return None if value is None or math.isnan(value) else value
    return value if isinstance(value, str | int | float | datetime) else None


def test_a_cursor_holds_for_its_own_query_only(stored):
    cursor = list_runs(stored, ListQuery(order_by="summary.loss"), None, 5, LIMITS)["next"]
    for other in (
        ListQuery(cursor=cursor),
        ListQuery(order_by="summary.loss desc", cursor=cursor),
        ListQuery(where="step > 1", order_by="summary.loss", cursor=cursor),
        ListQuery(order_by="summary.loss", cursor=cursor, experiment_id="experiment-1"),
    ):
        with pytest.raises(InvalidPayload, match="another query"):
            list_runs(stored, other, None, 5, LIMITS)


@pytest.mark.parametrize("cursor", ["", "x", "WzEsMiwzXQ", "e30", "bnVsbA", "W10", "\N{SNOWMAN}", "W" * 100_000])
def test_a_cursor_that_was_never_given_out(stored, cursor):
    with pytest.raises(InvalidPayload, match="cursor"):
        list_runs(stored, ListQuery(cursor=cursor), None, 5, LIMITS)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("name = 'first'", [0]),
        (r"name LIKE '%\%\_*?['", [3]),
        ("tags.paper IS NULL", [2]),
        ("tags.paper LIKE '2005%' OR tags.\"my tag\" = '100%'", [1, 0]),
        ("created_at > '2026-01-02T12:00:00Z'", [3, 2]),
        ("runs.total = 25 AND runs.failed > 0 AND NOT runs.queued = 0", [3, 2, 1, 0]),
        ("status = 'running'", [3, 2, 1, 0]),
        ("status != 'running'", []),
        ("id IN ('experiment-1', 'experiment-2')", [2, 1]),
    ],
)
def test_experiments_by_what_they_are(stored, where, found):
    page = list_experiments(stored, ListQuery(where), 100, LIMITS)
    assert [one.id for one in page.items] == [f"experiment-{number}" for number in found]


def test_experiments_sorted_page_by_page(stored):
    names, cursor = [], None
    for _ in range(4):
        page = list_experiments(stored, ListQuery(order_by="name", cursor=cursor), 1, LIMITS)
        names += [one.name for one in page.items]
        cursor = page.next
    assert names == sorted(names)
    assert cursor is None
    counted = list_experiments(stored, ListQuery(order_by="-runs.failed,name"), 10, LIMITS).items
    assert [one.runs.failed for one in counted] == sorted((one.runs.failed for one in counted), reverse=True)
