"""Taking away over HTTP: formats, negotiation, tables of runs and of points, thinning, clients that go away."""

import csv
import io
import json
import sqlite3

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.requests import ClientDisconnect

from service.exports.formats import FORMATS
from service.routes.answers import stream
from service.use_cases import trajectories
from service.use_cases.applicable import applicable_columns
from service.use_cases.exports import Stream
from tests.helpers import coroutines
from tests.helpers.specs import BASIC

MIXED = {
    "run": BASIC | {"record": {"every": 20}},
    "sweep": [
        {
            "problem": [
                {"kind": "perturbed_2x2"},
                {"kind": "low_rank_completion", "shape": [2, 2], "rank": 1, "observed": 2},
            ]
        },
        {"seed": [0, 1]},
    ],
}
MEDIA = {name: one.media_type for name, one in FORMATS.items()}


@pytest.fixture
def runs(api, finish):
    finish(MIXED)
    return api.get("/v1/runs").json()["items"]


def table(answer):
    assert answer.status_code == 200, answer.text
    match answer.headers["content-type"].split(";")[0]:
        case "text/csv":
            return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
        case "application/x-ndjson":
            return [json.loads(line) for line in answer.content.splitlines()]
        case "application/vnd.apache.arrow.stream":
            return pa.ipc.open_stream(answer.content).read_all().to_pylist()
        case "application/vnd.apache.parquet":
            return pq.read_table(io.BytesIO(answer.content)).to_pylist()


@pytest.mark.parametrize("name", ["csv", "ndjson", "arrow", "parquet"])
def test_a_trajectory_in_every_format(api, runs, name):
    path = f"/v1/runs/{runs[0]['id']}/trajectory"
    columns = api.get(path).json()["columns"]
    answer = api.get(path, headers={"Accept": MEDIA[name]})
    assert answer.content == api.get(path, params={"format": name}).content
    assert answer.headers["content-disposition"].startswith('attachment; filename="trajectory-')
    assert answer.headers["rankward-thinned"] == "false"
    rows = table(answer)
    assert list(rows[0]) == ["run_id", *columns]
    assert [float(row["loss"]) for row in rows] == columns["loss"]
    values = [json.loads(row["singular_values"]) if name == "csv" else row["singular_values"] for row in rows]
    assert values == columns["singular_values"]


@pytest.mark.parametrize("name", ["csv", "ndjson", "arrow", "parquet"])
def test_the_points_of_many_runs(api, runs, name):
    rows = table(api.get("/v1/trajectories", params={"format": name, "where": "seed = 1"}))
    assert list(dict.fromkeys(row["run_id"] for row in rows)) == [runs[1]["id"], runs[3]["id"]]
    for run in (runs[1], runs[3]):
        columns = api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]
        mine = [row for row in rows if row["run_id"] == run["id"]]
        assert [int(row["step"]) for row in mine] == columns["step"]
        for absent in {"unobserved_entry", "reconstruction_error"} - set(columns):
            assert all(row[absent] in (None, "") for row in mine)
    chosen = table(api.get("/v1/trajectories", params={"format": name, "metrics": "effective_rank, loss"}))
    assert list(chosen[0]) == ["run_id", "step", "time", "loss", "effective_rank"]


def test_trajectories_in_json_are_those_of_each_run(api, runs):
    items = api.get("/v1/trajectories").json()["items"]
    assert items == [api.get(f"/v1/runs/{run['id']}/trajectory").json() for run in runs]
    assert api.get("/v1/trajectories", params={"where": "seed = 77"}).json() == {"items": []}
    assert api.get("/v1/trajectories", params={"experiment_id": "none", "format": "csv"}).text == "run_id,step,time\r\n"


@pytest.mark.parametrize("name", ["csv", "ndjson", "arrow", "parquet"])
def test_the_list_of_runs(api, runs, name):
    rows = table(api.get("/v1/runs", params={"format": name, "order_by": "-seed", "where": "step > 0"}))
    assert [row["id"] for row in rows] == [runs[place]["id"] for place in (1, 3, 0, 2)]
    if name == "ndjson":
        assert rows == [runs[place] for place in (1, 3, 0, 2)]
        return
    assert [float(row["summary.loss"]) for row in rows] == [runs[place]["summary"]["loss"] for place in (1, 3, 0, 2)]
    assert json.loads(rows[0]["spec"]) == runs[1]["spec"]
    few = table(api.get("/v1/runs", params={"format": name, "fields": "index,model.depth,created_at", "limit": 2}))
    assert [list(row) for row in few] == [["index", "model.depth", "created_at"]] * 2


def test_what_is_not_a_number_is_told_from_what_is_absent(api, runs, settings):
    database = sqlite3.connect(settings.data_dir / "rankward.db")
    database.execute("update trajectory_points set effective_rank = null, loss = 9e999 where step = 20")
    database.commit()
    database.close()
    path = f"/v1/runs/{runs[0]['id']}/trajectory?from_step=20&to_step=20&metrics=loss,effective_rank"
    assert api.get(path).json()["columns"]["effective_rank"] == ["NaN"]
    (row,) = table(api.get(f"{path}&format=csv"))
    assert (row["loss"], row["effective_rank"]) == ("Infinity", "NaN")
    (row,) = table(api.get(f"{path}&format=parquet"))
    assert row["loss"] == float("inf")
    assert np.isnan(row["effective_rank"])


def test_thinned_trajectories_keep_extremes_and_say_so(api, runs):
    run, path = runs[0]["id"], f"/v1/runs/{runs[0]['id']}/trajectory"
    whole = api.get(path, params={"metrics": "loss"}).json()
    thin = api.get(path, params={"metrics": "loss", "max_points": 8}).json()
    assert (whole["thinned"], thin["thinned"]) == (False, True)
    assert thin["points"] <= 8 < whole["points"]
    for kept, all_of in ((thin["columns"]["step"], whole["columns"]["step"]),):
        assert (kept[0], kept[-1]) == (all_of[0], all_of[-1])
        assert set(kept) <= set(all_of)
    assert min(thin["columns"]["loss"]) == min(whole["columns"]["loss"])
    assert max(thin["columns"]["loss"]) == max(whole["columns"]["loss"])
    roomy = api.get(path, params={"metrics": "loss", "max_points": whole["points"]})
    assert (roomy.json(), roomy.headers["rankward-thinned"]) == (whole, "false")
    answer = api.get("/v1/trajectories", params={"metrics": "loss", "max_points": 8, "format": "arrow"})
    assert answer.headers["rankward-thinned"] == "true"
    rows = table(answer)
    assert [row["step"] for row in rows if row["run_id"] == run] == thin["columns"]["step"]
    in_json = api.get("/v1/trajectories", params={"metrics": "loss", "max_points": 8}).json()["items"]
    assert in_json[0] == thin


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accept", "got"),
    [
        ("*/*", "json"),
        ("", "json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "json"),
        ("text/csv", "csv"),
        ("TEXT/CSV; charset=utf-8", "csv"),
        ("text/*", "csv"),
        ("application/json;q=0.1, text/csv;q=0.9", "csv"),
        ("application/json;q=0, */*", "csv"),
        ("application/vnd.apache.parquet", "parquet"),
    ],
)
def test_the_format_that_a_client_likes_best(api, runs, accept, got):
    answer = api.get("/v1/runs", headers={"Accept": accept})
    assert answer.headers["content-type"].split(";")[0] == MEDIA[got]
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/trajectories", "/v1/runs/{}/trajectory"])
def test_a_format_that_there_is_not(api, runs, path):
    answer = api.get(path.format(runs[0]["id"]), headers={"Accept": "application/xml"})
    assert answer.status_code == 406
    assert answer.headers["content-type"] == "application/problem+json"
    assert "text/csv" in answer.json()["detail"]
    refused = api.get(path.format(runs[0]["id"]), params={"format": "xml"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/format")


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/v1/trajectories?metrics=loss,beauty", "/metrics"),
        ("/v1/trajectories?metrics=rank", "/metrics"),
        ("/v1/trajectories?max_points=1", "/max_points"),
        ("/v1/trajectories?where=los", "/where"),
        ("/v1/trajectories?format=csv&where=los", "/where"),
        ("/v1/runs?limit=1001", "/limit"),
        ("/v1/runs?format=csv&fields=x", "/fields"),
    ],
)
def test_a_wrong_question(api, path, pointer):
    answer = api.get(path)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_a_client_that_goes_away_leaves_nothing_behind():
    """Its stream is closed, so that whatever it holds is given back."""
    closed = []

    def chunks():
        try:
            while True:
                yield b"row\n"
        finally:
            closed.append(True)

    async def gone_after_three():
        sent = []

        async def send(message):
            sent.append(message)
            if len(sent) == 4:
                raise OSError("gone")

        response = stream(Stream(FORMATS["csv"], "x.csv", chunks()))
        scope = {"type": "http", "method": "GET", "headers": [], "asgi": {"spec_version": "2.4"}}
        with pytest.raises(ClientDisconnect):
            await response(scope, None, send)
        await response.body_iterator.aclose()

    coroutines.run(gone_after_three())
    assert closed == [True]


def test_no_connection_is_held_between_two_chunks(database, api, runs):
    """However slow a client is, it keeps no other from the database."""
    from service.settings import Limits
    from service.use_cases.exports import export_trajectories
    from service.use_cases.listing import ListQuery
    from service.use_cases.trajectories import PointQuery

    chunks = export_trajectories(database, ListQuery(), PointQuery(), FORMATS["csv"], Limits()).chunks
    next(chunks)
    next(chunks)
    assert database._engine.pool.checkedout() == 0


def test_runs_without_points_are_not_read_for_their_points(api, finish, database, monkeypatch):
    """However many runs wait, the first byte comes at once, and no spec of theirs is looked at."""
    finish({"run": BASIC | {"stop": {"max_steps": 5}}})
    waiting = {"run": BASIC, "sweep": [{"seed": list(range(90))}]}
    assert api.post("/v1/experiments", json=waiting).status_code == 202
    seen = []
    monkeypatch.setattr(trajectories, "applicable_columns", lambda spec: seen.append(spec) or applicable_columns(spec))
    for format in ("json", "csv"):
        assert api.get("/v1/trajectories", params={"format": format}).status_code == 200
    assert {spec["stop"]["max_steps"] for spec in seen} == {5}


def test_a_table_without_points_has_the_columns_that_are_to_come(api):
    api.post("/v1/experiments", json={"run": BASIC})
    header = api.get("/v1/trajectories", params={"format": "csv"}).text.split("\r\n")[0].split(",")
    assert {"run_id", "step", "time", "loss", "unobserved_entry"} <= set(header)
    assert api.get("/v1/trajectories").json() == {"items": []}


def test_json_of_many_runs_reads_each_chunk_by_its_own_columns(api, finish, monkeypatch):
    """Chunks of a few runs: an item has what applies to its run, whichever runs stand before and behind it."""
    monkeypatch.setattr("service.store.runs.CHUNK", 1)
    tensor = {
        "problem": {"kind": "low_rank_completion", "shape": [3, 3, 3], "rank": 1, "observed": 9},
        "model": {"kind": "cp_tensor", "rank": 2},
        "init": {"kind": "gaussian", "std": 0.1},
    }
    for run in (BASIC, BASIC | tensor, BASIC):
        finish({"run": run | {"stop": {"max_steps": 5}}})
    items = api.get("/v1/trajectories").json()["items"]
    runs = api.get("/v1/runs").json()["items"]
    assert [item["run_id"] for item in items] == [run["id"] for run in runs]
    for item in items:
        assert item == api.get(f"/v1/runs/{item['run_id']}/trajectory").json()
    assert "component_norms" in items[1]["columns"]
    assert "component_norms" not in items[0]["columns"]
