"""Submitting, looking at, cancelling and deleting, over HTTP on a real database with workers in this process."""

import io
import json
import re
import sqlite3

import numpy as np
import pytest

from tests.specs import BASIC

SWEEP = {
    "name": "a sweep",
    "tags": {"paper": "2005.06398"},
    "run": BASIC,
    "sweep": [{"seed": [0, 1]}, {"model.depth": [2, 3]}],
}


def test_a_sweep_from_post_to_trajectory(api, finish, settings):
    experiment = finish(SWEEP)
    assert experiment["status"] == "succeeded"
    assert experiment["runs"] == {"total": 4, "queued": 0, "running": 0, "succeeded": 4, "failed": 0, "cancelled": 0}
    runs = api.get(f"/v1/runs?experiment_id={experiment['id']}").json()
    assert runs["next"] is None
    assert [(run["spec"]["seed"], run["spec"]["model"]["depth"]) for run in runs["items"]] == [
        (0, 2),
        (0, 3),
        (1, 2),
        (1, 3),
    ]
    for index, run in enumerate(runs["items"]):
        assert run == api.get(f"/v1/runs/{run['id']}").json()
        assert run["index"] == index
        assert run["outcome"] in ("converged", "budget_exhausted")
        assert run["engine"] == "torch"
        assert run["steps_per_second"] > 0
        trajectory = api.get(f"/v1/runs/{run['id']}/trajectory").json()
        columns = trajectory["columns"]
        assert trajectory["thinned"] is False
        assert {len(column) for column in columns.values()} == {trajectory["points"]}
        assert columns["step"][0] == 0
        assert columns["step"][-1] == run["step"] == run["summary"]["steps"]
        for name, value in run["summary"].items():
            if name in columns:
                assert columns[name][-1] == value, name
        if run["outcome"] == "converged":
            assert columns["loss"][-1] < 1e-3 <= columns["loss"][-2]


def test_the_points_in_sql_are_those_of_the_api(api, finish, settings):
    experiment = finish(SWEEP)
    database = sqlite3.connect(settings.data_dir / "rankward.db")
    for run in api.get(f"/v1/runs?experiment_id={experiment['id']}").json()["items"]:
        columns = api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]
        rows = database.execute(
            "select step, time, loss, unobserved_entry, singular_values from trajectory_points "
            "where run_id = (select id from runs where public_id = ?) order by step",
            [run["id"]],
        ).fetchall()
        names = ("step", "time", "loss", "unobserved_entry")
        assert [row[:4] for row in rows] == list(zip(*(columns[name] for name in names), strict=True))
        assert [json.loads(row[4]) for row in rows] == columns["singular_values"]
    count, least = database.execute("select count(*), min(loss) from trajectory_points").fetchone()
    assert count > 0
    assert least < 1
    database.close()


def test_a_trajectory_by_metrics_and_steps(api, finish):
    finish({"run": BASIC | {"record": {"every": 10}}})
    (run,) = api.get("/v1/runs").json()["items"]
    url = f"/v1/runs/{run['id']}/trajectory"
    columns = api.get(f"{url}?metrics=loss,effective_rank&from_step=20&to_step=50").json()["columns"]
    assert list(columns) == ["step", "time", "loss", "effective_rank"]
    assert columns["step"] == [20, 30, 40, 50]
    refused = api.get(f"{url}?metrics=reconstruction_error")
    assert refused.status_code == 422
    assert "does not apply" in refused.json()["errors"][0]["detail"]
    assert "does not exist" in api.get(f"{url}?metrics=beauty").json()["detail"]


def test_columns_that_do_not_apply_are_absent(api, finish):
    sensing = {"kind": "low_rank_sensing", "shape": [3, 2], "rank": 1, "measurements": 4}
    finish(
        {
            "run": BASIC
            | {
                "problem": sensing,
                "init": {"kind": "gaussian", "std": 0.1},
                "model": {"kind": "deep_matrix", "depth": 1},
            }
        }
    )
    (run,) = api.get("/v1/runs").json()["items"]
    columns = api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]
    assert "reconstruction_error" in columns
    for absent in ("unobserved_entry", "determinant_sign", "balancedness_gap", "distance_to_infimal_rank", "entries"):
        assert absent not in columns
        assert absent not in run["summary"]


def test_a_run_s_columns_do_not_depend_on_its_batch(api, finish, settings):
    """Runs that track different entries, or have other unobserved ones, share a batch and keep their own columns."""
    problem = {"kind": "low_rank_completion", "shape": [2, 2], "rank": 1}
    finish(
        {
            "run": BASIC | {"stop": {"max_steps": 3}},
            "sweep": [
                {"record": [{"entries": [[0, 0]]}, {"entries": [[0, 0], [0, 1], [1, 1]]}, {}]},
                {"problem": [problem | {"observed": 1}, problem | {"observed": 3}]},
            ],
        }
    )
    runs = api.get("/v1/runs").json()["items"]
    widths = [len(run["summary"].get("entries", [])) for run in runs]
    assert widths == [1, 1, 3, 3, 0, 0]
    assert ["unobserved_entry" in run["summary"] for run in runs] == [False, True] * 3
    database = sqlite3.connect(settings.data_dir / "rankward.db")
    stored = database.execute("select unobserved_entry is null, determinant is null from run_summaries order by run_id")
    assert stored.fetchall() == [(1, 1), (0, 1)] * 3
    database.close()


def test_factors_multiply_to_the_product(api, finish):
    finish({"run": BASIC | {"record": {"every": 10, "entries": [[0, 0], [0, 1]]}}})
    (run,) = api.get("/v1/runs").json()["items"]
    factors = np.load(io.BytesIO(api.get(f"/v1/runs/{run['id']}/factors").content))
    product = np.linalg.multi_dot([factors[f"factor_{i}"] for i in range(3)])
    assert product[0] == pytest.approx(run["summary"]["entries"], rel=1e-12)


def test_factors_of_a_run_that_has_not_begun(api):
    api.post("/v1/experiments", json={"run": BASIC})
    (run,) = api.get("/v1/runs").json()["items"]
    assert run["summary"] == {}
    assert api.get(f"/v1/runs/{run['id']}/factors").status_code == 409
    assert api.get(f"/v1/runs/{run['id']}/trajectory").json()["points"] == 0


def test_a_run_that_leaves_the_finite_numbers(api, finish):
    experiment = finish(
        {
            "run": BASIC
            | {"init": {"kind": "identity", "scale": 1.0}, "record": {"every": 1}, "stop": {"max_steps": 100}},
            "sweep": [{"optimizer.learning_rate": [0.01, 50.0]}],
        }
    )
    assert experiment["status"] == "succeeded"
    calm, wild = api.get("/v1/runs").json()["items"]
    assert (calm["outcome"], wild["outcome"]) == ("budget_exhausted", "diverged")
    columns = api.get(f"/v1/runs/{wild['id']}/trajectory").json()["columns"]
    assert columns["step"] == list(range(wild["step"] + 1))
    assert all(isinstance(loss, float) for loss in columns["loss"])


def test_numbers_that_are_not_finite_travel_as_strings(api, finish):
    finish(
        {
            "run": BASIC
            | {
                "model": {"kind": "deep_matrix", "depth": 2, "hidden_width": 1},
                "init": {"kind": "gaussian", "std": 0.1},
                "stop": {"max_steps": 3},
            }
        }
    )
    (run,) = api.get("/v1/runs").json()["items"]
    assert run["summary"]["log_abs_determinant"] == "-Infinity"
    assert api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]["log_abs_determinant"] == ["-Infinity"] * 4


def test_a_dry_run_costs_and_stores_nothing(api):
    answer = api.post("/v1/experiments?dry_run=true", json=SWEEP)
    assert answer.status_code == 200
    assert answer.json()["runs"] == 4
    assert answer.json()["cost"]["max_steps"] == 8000
    assert api.get("/v1/experiments").json()["items"] == []


def test_the_example_of_the_contract(api):
    """Axes are crossed and the keys of one axis move together: 2 x 2 x 4 runs, defaults filled in."""
    example = {
        "name": "figure 1, depth 3",
        "tags": {"paper": "2005.06398"},
        "run": {
            "problem": {"kind": "perturbed_2x2", "z": 1, "z_prime": 1, "epsilon": 0},
            "model": {"kind": "deep_matrix", "depth": 3},
            "init": {
                "kind": "gaussian",
                "std": 1e-6,
                "std_of": "product",
                "balanced": True,
                "determinant": "positive",
            },
            "optimizer": {"kind": "gradient_descent", "learning_rate": 3e-3},
            "stop": {"max_steps": 5000000, "loss_below": 1e-4},
            "record": {"points_per_decade": 100},
            "precision": "float64",
            "seed": 0,
        },
        "sweep": [
            {"model.depth": [2, 3]},
            {"optimizer.learning_rate": [6e-3, 3e-3], "init.std": [1e-5, 1e-6]},
            {"seed": [0, 1, 2, 3]},
        ],
    }
    posted = api.post("/v1/experiments", json=example)
    assert posted.status_code == 202
    assert posted.json()["runs"]["total"] == 16
    assert posted.json()["tags"] == {"paper": "2005.06398"}
    specs = [run["spec"] for run in api.get("/v1/runs").json()["items"]]
    settings = {(s["optimizer"]["learning_rate"], s["init"]["std"]) for s in specs}
    assert settings == {(6e-3, 1e-5), (3e-3, 1e-6)}
    assert {spec["loss"] for spec in specs} == {"half_sse"}
    assert {spec["engine"] for spec in specs} == {"auto"}


def test_an_idempotency_key_stores_once(api):
    first, again = (api.post("/v1/experiments", json=SWEEP, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json() == again.json()
    assert first.headers["location"] == again.headers["location"] == f"/v1/experiments/{first.json()['id']}"
    other = api.post("/v1/experiments", json=SWEEP | {"name": "x"}, headers={"Idempotency-Key": "k"})
    assert other.status_code == 422
    assert len(api.get("/v1/experiments").json()["items"]) == 1
    assert api.post("/v1/experiments", json=SWEEP, headers={"Idempotency-Key": "k" * 256}).status_code == 422


def test_cancel_keeps_what_was_recorded_and_delete_does_not(api, dispatcher):
    url = api.post("/v1/experiments", json={"run": BASIC | {"stop": {"max_steps": 10**9}}}).headers["location"]
    dispatcher.settings = dispatcher.settings.model_copy(update={"slice_seconds": 0.05})
    dispatcher.tick()
    dispatcher.tick()
    cancelled = api.post(f"{url}/cancel")
    assert cancelled.status_code == 202
    assert cancelled.json()["status"] == "cancelled"
    dispatcher.tick()
    (run,) = api.get("/v1/runs").json()["items"]
    assert run["status"] == "cancelled"
    assert run["finished_at"] is not None
    assert api.get(f"/v1/runs/{run['id']}/trajectory").json()["points"] > 0
    assert api.delete(url).status_code == 204
    for gone in (url, f"/v1/runs/{run['id']}", f"/v1/runs/{run['id']}/trajectory"):
        assert api.get(gone).status_code == 404
    assert api.delete(url).status_code == 404


def test_one_run_can_be_cancelled(api, finish):
    api.post("/v1/experiments", json=SWEEP)
    first = api.get("/v1/runs").json()["items"][0]
    assert api.post(f"/v1/runs/{first['id']}/cancel").json()["status"] == "cancelled"
    assert [run["status"] for run in api.get("/v1/runs").json()["items"]] == ["cancelled", "queued", "queued", "queued"]
    assert len(api.get("/v1/runs?status=queued").json()["items"]) == 3


def test_lists_are_paged_without_gaps_while_rows_are_added(api):
    for name in "abcde":
        api.post("/v1/experiments", json={"name": name, "run": BASIC})
    first = api.get("/v1/experiments?limit=2").json()
    api.post("/v1/experiments", json={"name": "new", "run": BASIC})
    second = api.get("/v1/experiments", params={"limit": 2, "cursor": first["next"]}).json()
    third = api.get("/v1/experiments", params={"limit": 2, "cursor": second["next"]}).json()
    assert [[one["name"] for one in page["items"]] for page in (first, second, third)] == [
        ["e", "d"],
        ["c", "b"],
        ["a"],
    ]
    assert third["next"] is None
    assert len(api.get("/v1/runs?limit=4").json()["items"]) == 4


def test_presets_can_be_posted_as_they_are(api):
    presets = api.get("/v1/presets").json()["items"]
    assert "first_look" in [preset["name"] for preset in presets]
    for preset in presets:
        answer = api.post("/v1/experiments?dry_run=true", json=api.get(f"/v1/presets/{preset['name']}").json())
        assert answer.status_code == 200, answer.text
    assert api.get("/v1/presets/nonsense").status_code == 404


def test_the_figure_is_a_picture(api, finish):
    experiment = finish(SWEEP)
    picture = api.get(f"/v1/experiments/{experiment['id']}/figures/unobserved_entry.png")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    empty = api.post("/v1/experiments", json=SWEEP).json()["id"]
    assert api.get(f"/v1/experiments/{empty}/figures/unobserved_entry.png").status_code == 409


def test_health(api):
    assert api.get("/livez").json() == {"status": "ok"}
    assert api.get("/readyz").json() == {"status": "ok"}


def test_the_openapi_document_says_what_a_run_is(api):
    document = api.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert {"RunSpec", "ExperimentRequest", "LowRankCompletion", "Momentum"} <= schemas.keys()
    body = document["paths"]["/v1/experiments"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/ExperimentRequest"}
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= schemas.keys()
    assert api.get("/docs").status_code == 200


def test_a_database_without_schema_is_not_ready(tmp_path):
    from fastapi.testclient import TestClient

    from service.app import create_app
    from service.settings import Settings

    with TestClient(create_app(Settings(data_dir=tmp_path))) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "rankward migrate" in answer.json()["detail"]
