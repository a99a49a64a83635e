"""CSV that spreadsheets open: texts are never computed, numbers stay numbers, in every column of every table."""

import csv
import io

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from service.exports.texts import csv_texts
from service.queries.catalogues import RUNS
from service.queries.fields import Kind
from service.store.tables import experiments, runs
from tests.helpers.specs import BASIC

STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
FORMULA = "=HYPERLINK(1)"


def cell(text):
    (line,) = csv.reader(io.StringIO(csv_texts(pa.array([text]))[0].as_py() + "\r\n", newline=""))
    return line[0]


@given(start=st.sampled_from(STARTS), rest=st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
def test_no_text_begins_a_formula_unless_it_is_a_number(start, rest):
    shown = cell(start + rest)
    if shown == start + rest:
        float(shown)
    else:
        assert shown == f"'{start}{rest}"


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=6).filter(lambda text: text[:1] not in STARTS))
def test_other_texts_stay_as_they_are(text):
    assert cell(text) == text


@pytest.mark.parametrize("number", ["-1.5", "+3", "-1e-300", "-.5", "-Infinity"])
def test_a_text_that_is_a_number_stays_one(number):
    assert cell(number) == number


@given(values=st.lists(st.floats() | st.integers(-(2**53), 2**53).map(float), min_size=1))
def test_numbers_are_never_marked(values):
    assert not any(text.startswith("'") for text in csv_texts(pa.array(values)).to_pylist())


def table(api, **parameters):
    answer = api.get("/v1/runs", params={"format": "csv", **parameters})
    return list(csv.reader(io.StringIO(answer.text, newline="")))


def test_every_column_of_text_that_somebody_writes(api, database):
    payload = {"run": BASIC, "name": FORMULA, "tags": {"a": FORMULA, "b": "-1.5", "=1": "@x"}}
    api.post("/v1/experiments", json=payload)
    texts = [name for name in RUNS.names() if RUNS.find(name).values.kinds == {Kind.TEXT}]
    with database.writing() as connection:
        written = {name: FORMULA[: runs.c[name].type.length] for name in ("error", "device", "engine")}
        connection.execute(sa.update(runs).values(written))
        connection.execute(sa.update(experiments).values(name=FORMULA))
    assert set(written) <= set(texts)
    fields = [*written, "experiment.name", "tags.a", "experiment.tags.a", "tags.b", 'tags."=1"']
    header, row = table(api, fields=",".join(fields))
    assert header == fields
    assert row == ["'=HYPERLINK(1)"] * 6 + ["-1.5", "'@x"]
    for line in table(api)[1:]:
        assert not any(value[:1] in tuple(STARTS) and not is_number(value) for value in line if value)


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("path", ["/v1/trajectories", "/v1/runs/{run}/trajectory"])
def test_negative_numbers_of_points_stay_numbers(api, finish, path):
    finish({"run": BASIC | {"stop": {"max_steps": 5}}})
    run = api.get("/v1/runs").json()["items"][0]["id"]
    text = api.get(path.format(run=run), params={"format": "csv"}).text
    _, *lines = csv.reader(io.StringIO(text, newline=""))
    assert any(value.startswith("-") for line in lines for value in line)
    assert "'" not in text
