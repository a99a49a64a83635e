"""Texts of people in every export: each comes back as it was sent, on one line where lines count."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings

from service.errors import InvalidPayload
from service.store.tables import experiments, runs
from service.use_cases.events import Event
from service.web.spec_text import from_text
from tests.helpers.specs import BASIC
from tests.helpers.texts import HOSTILE, texts


@pytest.fixture
def told(api, database):
    """Sets a run's error and its experiment's tags; returns what a format makes of them."""
    posted = api.post("/v1/experiments", json={"run": BASIC}).json()

    def tell(text):
        with database.writing() as connection:
            connection.execute(sa.update(runs).values(status="failed", error=text))
            connection.execute(sa.update(experiments).values(tags={"k": text, f"k{text}": ""}))
        return lambda format, **query: api.get("/v1/runs", params={"format": format, **query})

    assert posted["runs"]["total"] == 1
    return tell


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts(10_000))
@example(HOSTILE[7])
@example(HOSTILE[8])
@example(HOSTILE[14])
def test_an_error_and_a_tag_come_back_as_they_were_sent(told, text):
    ask, tags = told(text), {"k": text, f"k{text}": ""}
    header, row = csv.reader(io.StringIO(ask("csv").content.decode(), newline=""))
    found = dict(zip(header, row, strict=True))
    assert found["error"] in (text, f"'{text}")  # an apostrophe keeps spreadsheets from computing it
    assert json.loads(found["tags"]) == tags
    (line,) = ask("ndjson").text.splitlines()
    assert json.loads(line)["error"] == text
    (line,) = ask("ndjson", fields="error,tags").text.splitlines()
    assert json.loads(line) == {"error": text, "tags": tags}
    for table in (
        pa.ipc.open_stream(ask("arrow").content).read_all(),
        pq.read_table(io.BytesIO(ask("parquet").content)),
    ):
        (shown,) = table.to_pylist()
        assert (shown["error"], json.loads(shown["tags"])) == (text, tags)
    named = ask("csv", fields='error,tags."k"').content.decode()
    assert set(next(csv.reader(io.StringIO(named.split("\n", 1)[1], newline="")))) <= {text, f"'{text}"}


@given(text=texts(10_000))
@example(HOSTILE[7])
def test_an_event_s_data_is_one_line(text):
    frame = Event(1, "run", {"error": text}).frame().decode()
    (data,) = [line for line in frame.splitlines() if line.startswith("data:")]
    assert json.loads(data.removeprefix("data:")) == {"error": text}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_filter_with_any_text_finds_it_or_says_where_it_is_wrong(api, text):
    tagged = {"name": text[:200], "tags": {"k": text[:500]}, "run": BASIC}
    public_id = api.post("/v1/experiments", json=tagged).json()["id"]
    literal = text[:200].replace("'", "''")
    found = api.get("/v1/experiments", params={"where": f"name = '{literal}'"}).json()["items"]
    assert [one["id"] for one in found] == [public_id]
    wrong = api.get("/v1/runs", params={"where": f"ID = '{literal}' {text[:50]}("})
    assert wrong.status_code == 422
    (error,) = wrong.json()["errors"]
    assert error["excerpt"].count("\n") == 1
    assert error["excerpt"].endswith("^")


def test_the_caret_of_a_form_stands_under_its_character_too():
    with pytest.raises(InvalidPayload) as refused:
        from_text("name: '日本' : x")
    line, caret = (refused.value.errors[0].excerpt or "").split("\n")
    assert line == "name: '日本' : x"
    assert caret == " " * 7 + "\u3000\u3000" + "  ^"


def test_the_caret_stands_under_its_character_whatever_is_before_it(api):
    answer = api.get("/v1/runs", params={"where": "tags.k = '日本e\u0301' AND sed = 1"})
    line, caret = answer.json()["errors"][0]["excerpt"].split("\n")
    assert line.endswith("AND sed = 1")
    assert caret == " " * 10 + "\u3000\u3000" + " " + " " * 6 + "^"
