"""Every field that a catalogue offers: selected by, sorted by, shown, exported and documented."""

import csv
import io
import math
import random
import re
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.exports.formats import FORMATS
from service.queries.catalogues import EXPERIMENTS, RUNS, Catalogue, check_answer, spell_path
from service.queries.fields import SCALAR, Kind, any_object, leaf
from service.schemas.experiments import Experiment
from service.schemas.runs import Run
from service.settings import Limits
from service.store.database import Database
from service.store.fields import Home, check_home, kind_to_sort
from service.store.spec_columns import NAMED_COLUMNS, SPEC_COLUMNS
from service.use_cases.experiments import list_experiments
from service.use_cases.exports import export_runs
from service.use_cases.listing import ListQuery
from service.use_cases.run_objects import look_up
from service.use_cases.run_tables import COLUMNS, default_fields
from service.use_cases.runs import list_runs
from tests.helpers.losses import fitted
from tests.helpers.specs import BASIC, FLOW
from tests.queries.stored_runs import literal, store
from tests.queries.test_where import OPERATORS
from workers.runs.metrics import METRICS, ON_REQUEST, SUMMARY_METRICS
from workers.runs.models import MODELS
from workers.runs.spec import RunSpec

LIMITS = Limits(max_named_fields=1000)
DOCS = Path(__file__).parents[2] / "docs"

_LOW_RANK = {"kind": "low_rank_completion", "shape": [3, 3], "rank": 1, "observed": 5, "noise": 0.1, "held_out": 2}
_OF_OTHERS = ("matricisation", "margin", "local", "cut", "gain")
"""Of tensors, of labels, of trees and of diagonal networks."""
_ASKED = [name for name in ON_REQUEST if not name.startswith(_OF_OTHERS)]
_MATRIX = BASIC | {"problem": _LOW_RANK, "record": {"metrics": _ASKED, "entries": [[0, 1]]}}
_LISTED = {"kind": "completion", "shape": [2, 2], "observations": [{"index": [0, 1], "value": 2.0}]}
_TENSOR = BASIC | {
    "problem": _LOW_RANK | {"shape": [3, 3, 3], "observed": 9},
    "model": {"kind": "cp_tensor", "rank": 2},
    "init": {"kind": "gaussian", "std": 0.1},
    "optimizer": {"kind": "momentum", "learning_rate": 1e-2, "beta": 0.5},
    "record": {"metrics": ["matricisation_ranks", "matricisation_effective_ranks"], "every": 5},
}
_TREE = _TENSOR | {
    "model": {"kind": "hierarchical_tensor", "widths": [2, 2]},
    "record": {"metrics": ["local_component_norms", "cut_ranks", "cut_singular_values"], "every": 5},
}
_DIAGONAL = BASIC | {
    "problem": {"kind": "random_regression", "samples": 3, "dimension": 4, "outputs": 1},
    "model": {"kind": "diagonal", "depth": 2, "form": "product"},
    "init": {"kind": "gaussian", "std": 0.5},
    "record": {"metrics": ["gain"]},
}
_SYMMETRIC = BASIC | {
    "model": {"kind": "symmetric_matrix", "rank": 2},
    "init": {"kind": "explicit", "factors": [[[1.0, 0.0], [0.5, 1.0]]]},
    "stop": {"max_steps": 100, "loss_below": 1e-4, "check_every": 10, "checks_in_a_row": 3},
}
_BALANCED = BASIC | {"problem": _LISTED, "init": {"kind": "gaussian", "std": 0.1, "balanced": True}, "loss": "mse"}
_POSTED_BESIDE = {"init": BASIC["init"], "stop": {"max_time": 2.0, "loss_below": 0.5}, "optimizer": BASIC["optimizer"]}
_BASELINE = BASIC | {"model": {"kind": "nuclear_norm"}} | _POSTED_BESIDE
_POTENTIAL = BASIC | {"model": {"kind": "least_q", "alpha": 0.1}} | _POSTED_BESIDE
_GREEDY = BASIC | {"model": {"kind": "greedy_low_rank", "loss_below": 0.5}} | _POSTED_BESIDE
_IMPUTED = BASIC | {"model": {"kind": "soft_impute", "penalty": 0.1}} | _POSTED_BESIDE
_LABELLED = BASIC | fitted({"kind": "logistic"}, _LISTED) | {"record": {"metrics": ["margin"]}}
_HUBER = BASIC | {"problem": _LISTED, "loss": {"kind": "huber", "delta": 0.5}}
_REGRESSION = BASIC | {
    "problem": {"kind": "random_regression", "samples": 4, "dimension": 3, "sparsity": 2, "held_out": 2},
    "init": {"kind": "gaussian", "std": [0.1, 0.2, 0.3]},
}
_DECAYING = BASIC | {
    "optimizer": {
        "kind": "gradient_descent",
        "learning_rate": {"kind": "cosine", "from": 0.1, "to": 0.01, "steps": 10},
        "weight_decay": 0.1,
    }
}
_DISTURBED = BASIC | {
    "optimizer": {**BASIC["optimizer"], "batch": {"size": 2}, "noise": {"kind": "label", "std": 0.1}},
}
_LAMBDA = BASIC | {"init": {"kind": "lambda_balanced", "lambda": 0.5, "std": 0.1}}
_CONTRACTION = BASIC | {
    "model": {
        "kind": "contraction",
        "factors": {"u": [2], "v": [2]},
        "terms": [{"of": ["u", "v"], "einsum": "i,j->ij"}, {"of": ["w"], "einsum": "ij->ij", "sign": -1}],
        "constants": {"w": [[1.0, 0.5], [0.0, 2.0]]},
    },
    "init": {"kind": "explicit", "factors": {"u": [0.1, 0.2], "v": [1.0, -1.0]}},
}
_PHASED = BASIC | {"phases": [{"problem": {"z": 2.0}, "stop": {"max_steps": 9}}]}
SPECS = (
    *(BASIC, _MATRIX, _REGRESSION, _LAMBDA, _DECAYING, _TENSOR, _SYMMETRIC, _BALANCED, _BASELINE, _LABELLED, _HUBER),
    *(_DISTURBED, _CONTRACTION, _CONTRACTION | {"init": {"kind": "constant", "value": 0.5}}),
    *(_TREE, _DIAGONAL, _POTENTIAL, _GREEDY, _IMPUTED),
    *(_PHASED, FLOW, FLOW | {"stop": {"max_time": 7.0}}),
)

ROUNDS, PAGE = 3, 30
"""Experiments of all specs, and the runs of a page: two borders of pages lie between them."""

SAMPLES = {"tags": "paper", "first_step_below": "1e-1", "factors": "u", "constants": "w"}
"""A key of each object whose keys are not fixed."""


def paths_of(catalogue: Catalogue):
    """Every path with a fixed name, one key of each object that has none, and the first entries of lists."""
    for path, node in catalogue.nodes():
        yield path
        if (key := SAMPLES.get(path[-1])) is not None and node.below(key) is not None:
            yield (*path, key)
        while (node := node.below(0)) is not None and len(path) < 6:
            path = (*path, 0)
            yield path
            yield from ((*path, name) for name in node.names())


RUN_FIELDS = [spell_path(path) for path in paths_of(RUNS)]
EXPERIMENT_FIELDS = [spell_path(path) for path in paths_of(EXPERIMENTS)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, templates, tmp_path_factory):
    path = tmp_path_factory.mktemp("fields") / "runs.db"
    with templates.sqlite(path) if request.param == "sqlite" else templates.postgresql() as url:
        database = Database(url)
        chance = random.Random(0)
        for number in range(ROUNDS):
            store(database, chance, number, [RunSpec.model_validate(spec) for spec in SPECS])
        yield database
        database.close()


@pytest.fixture(scope="module")
def runs(filled):
    """Each run's object with its tags, in the order of submission."""
    names = ",".join(RUNS.names())
    return list_runs(filled, ListQuery(), names, 1000, LIMITS)["items"]


@pytest.fixture(scope="module")
def experiments(filled):
    """Each experiment's object, newest first."""
    return [item.model_dump() for item in list_experiments(filled, ListQuery(), 1000, LIMITS).items]


def select_runs(database, limit=1000, **query):
    """Ids of the selected runs, read page by page."""
    page = list_runs(database, ListQuery(**query), "id", limit, LIMITS)
    rest = [] if page["next"] is None else select_runs(database, limit, **{**query, "cursor": page["next"]})
    return [*(run["id"] for run in page["items"]), *rest]


def select_experiments(database, limit=1000, **query):
    """Ids of the selected experiments, read page by page."""
    page = list_experiments(database, ListQuery(**query), limit, LIMITS)
    rest = [] if page.next is None else select_experiments(database, limit, **{**query, "cursor": page.next})
    return [*(item.id for item in page.items), *rest]


def queried(item, field):
    """A field's value as queries see it: None where there is none, or one that is not a number."""
    column = NAMED_COLUMNS.get(spell_path(field.path[1:])) if field.path[0] == "spec" else None
    if column and column.of_training and not MODELS[item["spec"]["model"]["kind"]].is_trained:
        return "none" if column.is_required else None
    _, value = look_up(item, field.path)
    if column and column.path == "loss" and isinstance(value, dict):
        return value["kind"]
    if value in ("Infinity", "-Infinity") and field.kind is Kind.NUMBER:
        return float(value)
    return None if value == "NaN" or (field.path == ("summary",) and value == {}) else value


def kind_of(value):
    kinds = {bool: Kind.BOOLEAN, int: Kind.NUMBER, float: Kind.NUMBER, str: Kind.TEXT, datetime: Kind.TIME}
    return kinds.get(type(value))


def check_where(select, items, field):
    values = [(item["id"], queried(item, field)) for item in items]
    missing = [item_id for item_id, value in values if value is None]
    assert select(where=f"{field.name} IS NULL") == missing
    assert select(where=f"NOT {field.name} IS NULL") == [item_id for item_id, value in values if value is not None]
    scalars = {(kind_of(value), value) for _, value in values if kind_of(value)}
    # In the middle of each kind's values: some are below it, and some above.
    for kind, group in groupby(sorted(scalars, key=repr), key=itemgetter(0)):
        known = sorted(value for _, value in group)
        value = known[len(known) // 2]
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
        assert select(PAGE, order_by=f"{sign}{field.name}") == [*expected, *missing]


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


def exported(database, fields, name):
    return b"".join(export_runs(database, ListQuery(), fields, None, FORMATS[name], LIMITS).chunks)


def expected_cell(column_type, value):
    """What a table shows of a JSON value."""
    if value is None or column_type == pa.timestamp("us", tz="UTC"):
        return value
    if pa.types.is_floating(column_type) and isinstance(value, list | dict):
        return None  # of a field that is a number for some runs, a list or an object for others
    if pa.types.is_list(column_type):
        return [float(part) for part in value]
    if pa.types.is_string(column_type) and not isinstance(value, str):
        return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()
    return float(value) if pa.types.is_floating(column_type) else value


def same(cell, expected):
    if isinstance(expected, list):
        return len(cell) == len(expected) and all(map(same, cell, expected))
    if isinstance(expected, float) and math.isnan(expected):
        return math.isnan(cell)
    return cell == expected


@pytest.mark.parametrize("names", [RUN_FIELDS, list(COLUMNS)], ids=["every field", "the default columns"])
def test_tables_have_each_field(filled, runs, names):
    fields = None if names == list(COLUMNS) else ",".join(names)
    arrow = pa.ipc.open_stream(exported(filled, fields, "arrow")).read_all()
    assert arrow.column_names == names
    for name in names:
        path, column = RUNS.find(name).path, arrow[name]
        expected = [expected_cell(column.type, look_up(run, path)[1]) for run in runs]
        assert all(map(same, column.to_pylist(), expected)), name
    parquet = pq.read_table(io.BytesIO(exported(filled, fields, "parquet")))
    assert repr(parquet.to_pydict()) == repr(arrow.to_pydict())
    header, *lines = csv.reader(io.StringIO(exported(filled, fields, "csv").decode(), newline=""))
    assert header == names
    for place, name in enumerate(names):
        assert [line[place] != "" for line in lines] == [cell not in (None, "") for cell in arrow[name].to_pylist()], (
            name
        )


def test_lines_have_each_field(filled, runs):
    lines = [orjson.loads(line) for line in exported(filled, ",".join(RUNS.names()), "ndjson").splitlines()]
    assert lines == [orjson.loads(orjson.dumps(run, option=orjson.OPT_UTC_Z)) for run in runs]
    default = [orjson.loads(line) for line in exported(filled, None, "ndjson").splitlines()]
    assert default == [{name: line[name] for name in Run.model_fields} for line in lines]


def test_a_table_without_fields_has_what_a_run_is_and_what_is_filtered_by():
    defaults = {field.path for field in default_fields()}
    assert {(name,) for name in RUNS.names() if name not in ("summary", "experiment")} <= defaults
    assert {("summary", name) for name in (*METRICS, *SUMMARY_METRICS)} <= defaults
    assert {("spec", *name.split(".")) for name in NAMED_COLUMNS} <= defaults


def test_each_field_is_documented():
    text = (DOCS / "queries.md").read_text()
    section = text[text.index("## Fields") : text.index("## Expressions")]
    of_runs, of_experiments = (set(re.findall(r"`([^`]+)`", part)) for part in section.split("| of an experiment"))
    plain = {name for name in RUNS.names() if not RUNS.names(name) and name != "tags"}
    assert plain | {f"experiment.{name}" for name in RUNS.names("experiment") if name != "tags"} <= of_runs
    leaves = {spell_path(path) for path, node in EXPERIMENTS.nodes() if not node.names()}
    assert leaves - {"tags"} | {"tags.NAME"} == of_experiments


def test_each_column_of_a_spec_is_documented_for_sql():
    text = (DOCS / "sql.md").read_text()
    listed = re.search(r"The fields of the spec are `([^`]+)`", text)
    assert listed is not None
    assert set(re.split(r",\s+", listed[1])) == {column.view for column in SPEC_COLUMNS}


def test_a_field_without_a_column_is_an_import_error():
    catalogue = Catalogue("a run", any_object({"step": leaf(Kind.INTEGER), "colour": leaf(Kind.TEXT)}))
    with pytest.raises(ImportError, match="colour of a run"):
        check_home(Home({("step",): pa}, {}), catalogue)
    with pytest.raises(ImportError, match=r"summary\.size, which is no field"):
        check_home(Home({("step",): pa, ("colour",): pa, ("summary", "size"): pa}, {}), catalogue)


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"colour": leaf(Kind.TEXT)}, "colour"),
        ({"priority": leaf(Kind.TEXT)}, "priority is another"),
        ({"status": leaf(Kind.TEXT, words=["queued"])}, "status is another"),
    ],
)
def test_a_field_that_the_answer_has_otherwise_is_an_import_error(fields, mistake):
    top = {name: node for (name, *below), node in EXPERIMENTS.nodes() if not below}
    with pytest.raises(ImportError, match=mistake):
        check_answer(Catalogue("an experiment", any_object(top | fields)), Experiment)
