"""Every field that a catalogue offers: exported, documented, and with a home in the database."""

import csv
import io
import math
import re
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.exports.formats import FORMATS
from service.queries.catalogues import EXPERIMENTS, RUNS, Catalogue, check_answer, spell_path
from service.queries.fields import Kind, any_object, leaf
from service.schemas.experiments import Experiment
from service.schemas.runs import Run
from service.store.fields import Home, check_home
from service.store.spec_columns import NAMED_COLUMNS, SPEC_COLUMNS
from service.use_cases.exports import export_runs
from service.use_cases.listing import ListQuery
from service.use_cases.run_objects import look_up
from service.use_cases.run_tables import COLUMNS, default_fields
from tests.kinds.stored_fields import LIMITS, RUN_FIELDS
from workers.runs.metrics import METRICS, SUMMARY_METRICS

DOCS = Path(__file__).parents[2] / "docs"


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
