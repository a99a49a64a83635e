"""Asking over HTTP: where, order_by, fields, pages, mistakes that are pointed at, ETags, summaries, curves."""

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Limits
from tests.api.test_experiments import SWEEP
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC

TWO_DEPTHS = {
    "tags": {"paper": "2005.06398"},
    "run": BASIC | {"stop": {"max_steps": 400}, "record": {"every": 50}},
    "sweep": [{"model.depth": [2, 3]}, {"seed": [0, 1, 2]}],
}


@pytest.fixture
def experiment(finish):
    return finish(TWO_DEPTHS)


def ask(api, path, **parameters):
    answer = api.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_selection_sorted_and_sparse(api, experiment):
    where = "status = 'succeeded' AND model.depth >= 3 AND tags.paper = '2005.06398' AND NOT summary.loss > 1"
    fields = "index,model.depth,summary.loss,tags.paper,summary.singular_values[0]"
    found = ask(api, "/v1/runs", where=where, order_by="summary.loss desc", fields=fields)["items"]
    assert [run["spec"]["model"] for run in found] == [{"depth": 3}] * 3
    losses = [run["summary"]["loss"] for run in found]
    assert losses == sorted(losses, reverse=True)
    assert all(set(run) == {"index", "spec", "summary", "tags"} for run in found)
    assert all(list(run["summary"]["singular_values"]) == ["0"] for run in found)


def test_pages_are_linked(api, experiment):
    answer = api.get("/v1/runs", params={"order_by": "-seed,model.depth", "limit": 4})
    link = answer.headers["link"]
    assert link.endswith('; rel="next"')
    following = api.get(link[1 : link.index(">")])
    assert "link" not in following.headers
    seeds = [run["spec"]["seed"] for run in answer.json()["items"] + following.json()["items"]]
    assert seeds == [2, 2, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("parameter", "text", "character", "sentence"),
    [
        ("where", "modle.depth = 3", 0, "did you mean 'model'"),
        ("where", "status = 'failed' AND model.dept = 3", 28, "did you mean 'depth'"),
        ("where", "status = 'suceeded'", 9, "never 'suceeded'"),
        ("where", "seed = ", 7, "ends too soon"),
        ("where", "seed == 1", 6, "not '='"),
        ("where", "seed = 1; DROP TABLE runs", 8, "means nothing here"),
        ("where", "seed = 1 OR 1=1 --", 12, "Expected"),
        ("where", "tags.x = 'a' UNION SELECT 1", 13, "Expected"),
        ("where", "seed = 'a'", 7, "an integer"),
        ("where", "seed = 0x10", 7, "means nothing here"),
        ("where", "engine = 'a", 9, "no closing quote"),
        ("where", "error = '\x00'", 8, "NUL"),
        ("where", "(((seed = 1))", 13, "')'"),
        ("where", "spec = 1", 0, "an object"),
        ("where", "created_at > 'yesterday'", 13, "2026-01-31"),
        ("where", "summary.loss = NaN", 15, "IS NULL"),
        ("where", "status LIKE 'a\\'", 12, "backslash"),
        ("where", "", 0, "ends too soon"),
        ("where", "NOT " * 200 + "seed = 1", 204, "RANKWARD_MAX_WHERE_DEPTH"),
        ("where", " OR ".join(["seed = 1"] * 300), 2400, "RANKWARD_MAX_WHERE_TESTS"),
        ("where", f"seed IN ({','.join(['1'] * 2001)})", 4009, "RANKWARD_MAX_WHERE_VALUES"),
        (
            "where",
            "seed IN (1) OR " + " OR ".join([f"seed IN ({','.join(['1'] * 400)})"] * 5),
            4074,
            "MAX_WHERE_VALUES",
        ),
        ("where", "(" * 19_000, 19_000, "ends too soon"),
        ("order_by", "seed,summary.los", 13, "did you mean 'loss'"),
        ("order_by", "seed,,index", 5, "no name"),
        ("order_by", "spec", 0, "an object"),
        ("order_by", "-seed desc", 0, "once"),
        ("order_by", ",".join(["seed"] * 101), 500, "RANKWARD_MAX_NAMED_FIELDS"),
        ("fields", "id, colour", 4, "no field 'colour'"),
        ("fields", 'tags."a', 4, "Write a field"),
    ],
)
def test_a_mistake_is_pointed_at(api, parameter, text, character, sentence):
    answer = api.get("/v1/runs", params={parameter: text})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["character"]) == (f"/{parameter}", character), error
    assert sentence in error["detail"]
    shown, caret = error["excerpt"].split("\n")
    place = caret.index("^")
    assert shown[place : place + 1] == ("" if character == len(text) else text[character].replace("\x00", " "))


@pytest.mark.parametrize("text", ["seed=1 AND " * 10_000, "(" * 100_001])
def test_too_long_an_expression(database, settings, text):
    with TestClient(create_app(settings, Limits()), base_url="http://localhost") as api:
        (error,) = api.post("/v1/runs/query", json={"where": text}).json()["errors"]
    assert (error["pointer"], error["character"]) == ("/where", 100_000)
    assert "RANKWARD_MAX_WHERE_CHARACTERS" in error["detail"]


def test_the_where_of_experiments(api, experiment):
    assert len(ask(api, "/v1/experiments", where="status = 'succeeded' AND runs.total = 6")["items"]) == 1
    assert ask(api, "/v1/experiments", where="runs.failed > 0")["items"] == []
    refused = api.get("/v1/experiments", params={"where": "model.depth = 3"}).json()
    assert "no field 'model' of an experiment" in refused["errors"][0]["detail"]


def test_what_has_not_changed_is_not_sent_again(api, finish, dispatcher):
    run = ask(api, f"/v1/runs?experiment_id={finish(SWEEP)['id']}")["items"][0]["id"]
    for path in (f"/v1/runs/{run}", f"/v1/runs/{run}/trajectory", f"/v1/runs/{run}/trajectory?format=parquet"):
        tag = api.get(path).headers["etag"]
        assert tag.startswith('W/"')
        for known in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
            again = api.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert api.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    tags = {
        api.get(f"/v1/runs/{run}/trajectory?{query}").headers["etag"] for query in ("", "metrics=loss", "format=csv")
    }
    assert len(tags) == 3
    assert api.get("/v1/runs/none", headers={"If-None-Match": "*"}).status_code == 404


def test_a_slice_changes_the_etag(api, dispatcher):
    api.post("/v1/experiments", json={"run": BASIC})
    run = ask(api, "/v1/runs")["items"][0]["id"]
    before = [api.get(f"/v1/runs/{run}{path}").headers["etag"] for path in ("", "/trajectory")]
    for _ in range(100):
        dispatcher.tick()
    after = [api.get(f"/v1/runs/{run}{path}").headers["etag"] for path in ("", "/trajectory")]
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_summary_by_groups(api, experiment):
    path = f"/v1/experiments/{experiment['id']}/summary"
    items = ask(api, path, group_by="model.depth", metric="unobserved_entry,effective_rank")["items"]
    assert [(one["group"], one["metric"]) for one in items] == [
        ({"model.depth": depth}, metric) for depth in (2, 3) for metric in ("unobserved_entry", "effective_rank")
    ]
    runs = ask(api, "/v1/runs", where="model.depth = 3")["items"]
    values = [run["summary"]["unobserved_entry"] for run in runs]
    deep = items[2]
    assert (deep["runs"], deep["count"], deep["min"], deep["max"]) == (3, 3, min(values), max(values))
    assert deep["quartiles"] == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]), rel=1e-14)
    assert deep["median"] == deep["quartiles"][1]
    (whole,) = ask(api, path, metric="loss", where="seed < 2")["items"]
    assert (whole["group"], whole["runs"]) == ({}, 4)
    (absent,) = ask(api, path, metric="reconstruction_error")["items"]
    assert (absent["runs"], absent["count"], absent["median"]) == (6, 0, None)
    crossed = ask(api, path, group_by="model.depth,seed", metric="summary.singular_values[0]")["items"]
    assert len(crossed) == 6


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("metric=beauty", "/metric"),
        ("metric=singular_values", "/metric"),
        ("group_by=model.dept", "/group_by"),
        ("group_by=spec", "/group_by"),
        ("where=x", "/where"),
        ("colour=red", "/colour"),
    ],
)
def test_a_wrong_summary(api, experiment, query, pointer):
    answer = api.get(f"/v1/experiments/{experiment['id']}/summary?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert api.get(f"/v1/experiments/none/summary?{query}").status_code in (404, 422)


@pytest.mark.parametrize("x", ["step", "time", "loss"])
def test_curves_lie_between_those_of_the_runs(api, experiment, x):
    path = f"/v1/experiments/{experiment['id']}/curves"
    items = ask(api, path, metric="effective_rank", x=x, group_by="model.depth", places=20)["items"]
    assert [one["group"]["model.depth"] for one in items] == [2, 3]
    for item in items:
        columns = item["columns"]
        names = ("min", "lower_quartile", "median", "upper_quartile", "max")
        assert list(columns) == [x, "count", *names]
        assert len({len(column) for column in columns.values()}) == 1
        assert len(columns[x]) >= 10
        assert np.all(np.diff([columns[name] for name in names], axis=0) >= 0)
        assert np.all(np.diff(columns[x]) * (-1 if x == "loss" else 1) > 0)
        assert set(columns["count"]) <= {1, 2, 3}


def test_a_curve_of_one_run_is_its_trajectory(api, experiment):
    path = f"/v1/experiments/{experiment['id']}/curves"
    run = ask(api, "/v1/runs", where="model.depth = 3 AND seed = 1")["items"][0]["id"]
    points = ask(api, f"/v1/runs/{run}/trajectory")["columns"]
    (item,) = ask(api, path, where="model.depth = 3 AND seed = 1", metric="loss", places=50)["items"]
    columns = item["columns"]
    assert columns["step"][0] == 0
    assert columns["step"][-1] == points["step"][-1]
    assert columns["median"] == pytest.approx(np.interp(columns["step"], points["step"], points["loss"]), rel=1e-12)
    empty = ask(api, path, where="seed = 99")["items"]
    assert empty == []
    assert api.get(path, params={"metric": "singular_values"}).json()["errors"][0]["pointer"] == "/metric"


def test_a_pattern_of_many_gaps_is_answered(api, experiment):
    """One that a naive matcher would try in exponentially many ways; the test's time limit says that none does."""
    for word in ("LIKE", "ILIKE"):
        where = f"tags.paper {word} '" + "%0a" * 3000 + "%x'"
        assert ask(api, "/v1/runs", where=where)["items"] == []


@BOTH_DATABASES
def test_thousands_of_ids_in_a_body(api, database, experiment):
    runs = ask(api, "/v1/runs")["items"]
    absent = [f"00000000-0000-7000-8000-{number:012x}" for number in range(1994)]
    quoted = ", ".join(f"'{run_id}'" for run_id in (*absent, *(run["id"] for run in runs)))
    query = {"where": f"id IN ({quoted})", "order_by": "-seed", "limit": 4}
    first = api.post("/v1/runs/query", json=query)
    assert first.status_code == 200, first.text
    assert "link" not in first.headers  # it would lead to a GET without the body
    second = api.post("/v1/runs/query", json=query | {"cursor": first.json()["next"]}).json()
    found = first.json()["items"] + second["items"]
    assert found == ask(api, "/v1/runs", order_by="-seed")["items"]
    assert second["next"] is None
    points = api.post("/v1/trajectories/query", json={"where": query["where"], "metrics": "loss"}).json()["items"]
    assert points == ask(api, "/v1/trajectories", metrics="loss")["items"]


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/trajectories"])
@pytest.mark.parametrize("format", ["json", "csv", "ndjson", "arrow", "parquet"])
def test_a_query_in_a_body_is_that_of_the_url(api, experiment, path, format):
    query = {"where": "model.depth = 3", "experiment_id": experiment["id"][-8:], "format": format}
    only = {"/v1/runs": {"fields": "id,summary.loss", "limit": 2}, "/v1/trajectories": {"max_points": 5}}[path]
    in_url, in_body = api.get(path, params=query | only), api.post(f"{path}/query", json=query | only)
    assert in_body.status_code == in_url.status_code == 200
    assert in_body.content == in_url.content
    names = ("content-type", "content-disposition", "vary")
    assert [in_body.headers.get(name) for name in names] == [in_url.headers.get(name) for name in names]
    by_header = api.post(f"{path}/query", json=only, headers={"Accept": "text/csv"})
    assert by_header.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("/v1/runs", {"where": "modle = 1"}, "/where"),
        ("/v1/runs", {"limit": "5"}, "/limit"),
        ("/v1/runs", {"limit": 1001}, "/limit"),
        ("/v1/runs", {"colour": "red"}, "/colour"),
        ("/v1/runs", {"fields": "id,,id"}, "/fields"),
        ("/v1/runs", {"cursor": "nonsense"}, "/cursor"),
        ("/v1/runs", [], ""),
        ("/v1/trajectories", {"metrics": "beauty"}, "/metrics"),
        ("/v1/trajectories", {"max_points": 1}, "/max_points"),
    ],
)
def test_a_mistake_in_a_query_in_a_body(api, path, query, pointer):
    answer = api.post(f"{path}/query", json=query)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


@BOTH_DATABASES
def test_a_page_of_long_specs_ends_early(database, settings):
    """Read page by page, every run comes once, whatever the limit; no page has more than fits."""
    long = {
        "problem": {"kind": "completion", "shape": [30, 30], "observations": []},
        "init": {"kind": "gaussian", "std": 0.1},
    }
    long["problem"]["observations"] = [{"index": [i, j], "value": 1.0} for i in range(30) for j in range(30)]
    limits = Limits(max_page_bytes=100_000)
    with TestClient(create_app(settings, limits), base_url="http://localhost") as api:
        for run in (BASIC | long, BASIC):
            assert api.post("/v1/experiments", json={"run": run, "sweep": [{"seed": [*range(9)]}]}).status_code == 202
        every, cursor, sizes = [], {}, []
        while cursor is not None:
            page = ask(api, "/v1/runs", order_by="-seed", limit=1000, **cursor)
            every += [(run["spec"]["problem"]["kind"], run["spec"]["seed"]) for run in page["items"]]
            sizes.append(sum(len(json.dumps(run["spec"], separators=(",", ":"))) for run in page["items"]))
            cursor = page["next"] and {"cursor": page["next"]}
        expected = [(kind, seed) for seed in reversed(range(9)) for kind in ("completion", "perturbed_2x2")]
        assert every == expected
        assert len(sizes) > 2
        assert all(0 < size <= 100_000 for size in sizes)
        one_by_one = Limits(max_page_bytes=1)
    with TestClient(create_app(settings, one_by_one), base_url="http://localhost") as api:
        assert len(ask(api, "/v1/runs")["items"]) == 1
        table = api.get("/v1/runs?format=ndjson&order_by=-seed").text.splitlines()
        assert [json.loads(line)["spec"]["seed"] for line in table] == [seed for _, seed in expected]
