"""What runs left behind, over HTTP and in SQL: trajectories, columns, factors."""

import io
import json
import platform
import sqlite3
from importlib.metadata import version

import numpy as np
import pytest
import torch

from tests.api.test_experiments import SWEEP
from tests.helpers.specs import BASIC

PACKAGES = {"rankward": "rankward", "numpy": "numpy", "torch": "torch", "warp": "warp-lang"}


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


def test_a_run_says_with_what_it_was_computed(api, finish):
    queued = api.post("/v1/experiments", json={"run": BASIC}).headers["location"].rpartition("/")[2]
    assert api.get(f"/v1/runs?experiment_id={queued}").json()["items"][0]["computed_with"] is None
    finish({"run": BASIC})
    (run,) = api.get("/v1/runs?limit=1&order_by=-created_at").json()["items"]
    assert run["computed_with"] == {
        **{name: version(package) for name, package in PACKAGES.items()},
        "python": platform.python_version(),
        "processor": run["computed_with"]["processor"],
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "gpu": None,
    }
    assert run["computed_with"]["processor"]
    same = f"computed_with.torch = '{version('torch')}' AND computed_with.gpu IS NULL"
    listed = api.get("/v1/runs", params={"where": same, "fields": "id,computed_with.warp"}).json()["items"]
    assert {"id": run["id"], "computed_with": {"warp": version("warp-lang")}} in listed
    header, *_ = api.get("/v1/runs?format=csv").text.splitlines()
    assert "computed_with" in header.split(",")
