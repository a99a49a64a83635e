"""Submitting, looking at, cancelling and deleting, over HTTP on a real database with workers in this process."""

import json
import re

from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC

pytestmark = BOTH_DATABASES

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
    assert [run["outcome"] for run in runs["items"]] == ["converged", "budget_exhausted"] * 2
    for index, run in enumerate(runs["items"]):
        assert run == api.get(f"/v1/runs/{run['id']}").json()
        assert run["index"] == index
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


def test_a_dry_run_costs_and_stores_nothing(api):
    answer = api.post("/v1/experiments?dry_run=true", json=SWEEP)
    assert answer.status_code == 200
    assert answer.json()["runs"] == 4
    assert answer.json()["cost"]["max_steps"] == 4 * BASIC["stop"]["max_steps"]
    assert api.get("/v1/experiments").json()["items"] == []


def test_a_cost_beyond_64_bits_is_exact(api):
    changes = {"problem": {"kind": "all_but_corner", "dimension": 400}, "init": {"kind": "identity", "scale": 1.0}}
    steps = 10**12
    body = {"run": SWEEP["run"] | changes | {"stop": {"max_steps": steps}, "record": {"points_per_decade": 1}}}
    cost = api.post("/v1/experiments?dry_run=true", json=body).json()["cost"]
    assert cost["max_steps"] == steps
    assert cost["max_multiply_adds"] > 2**64
    assert cost["max_multiply_adds"] % steps == 0


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


def test_health(api, dispatcher):
    assert api.get("/livez").json() == {"status": "ok"}
    assert api.get("/readyz").json()["status"] == "ok"


def test_the_openapi_document_says_what_a_run_is(api):
    document = api.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert {"RunSpec", "ExperimentRequest", "LowRankCompletion", "Momentum"} <= schemas.keys()
    body = document["paths"]["/v1/experiments"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/ExperimentRequest"}
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= schemas.keys()
    assert api.get("/docs").status_code == 200
