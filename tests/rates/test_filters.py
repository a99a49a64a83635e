"""Rates in queries: constant ones are numbers, schedules are chosen by their fields."""

import csv
import io

from tests.helpers.specs import BASIC

COSINE = {"kind": "cosine", "from": 0.05, "to": 0.001, "steps": 100}
CHOSEN = {
    "optimizer.learning_rate >= 1e-2": {0},
    "optimizer.learning_rate < 1e-2": {1},
    "optimizer.learning_rate.kind = 'cosine'": {2},
    "optimizer.learning_rate.from > 0.01": {2},
    "optimizer.learning_rate IS NULL": set(),
    "optimizer.learning_rate IS NOT NULL": {0, 1, 2},
    "optimizer.weight_decay > 0": {1},
}


def test_runs_are_chosen_by_their_rates(api):
    optimizers = [
        {"kind": "gradient_descent", "learning_rate": 0.01},
        {"kind": "gradient_descent", "learning_rate": 0.001, "weight_decay": 0.1},
        {"kind": "gradient_descent", "learning_rate": COSINE},
    ]
    payload = {"run": BASIC, "sweep": [{"optimizer": optimizers}]}
    assert api.post("/v1/experiments", json=payload).status_code == 202
    for where, expected in CHOSEN.items():
        items = api.get("/v1/runs", params={"where": where}).json()["items"]
        assert {run["index"] for run in items} == expected, where
    runs = api.get("/v1/runs").json()["items"]
    assert COSINE in [run["spec"]["optimizer"]["learning_rate"] for run in runs]
    table = list(csv.DictReader(io.StringIO(api.get("/v1/runs?format=csv").text)))
    assert sorted(row["optimizer.learning_rate"] for row in table) == ["", "0.001", "0.01"]


BATCHES = {
    "optimizer.batch.size = 1": {1},
    "optimizer.batch.replacement = false": {1},
    "optimizer.batch IS NULL": {0, 2},
    "optimizer.noise.std > 0": {2},
    "optimizer.noise.kind = 'label'": {2},
    "optimizer.noise.distribution = 'rademacher'": {2},
}


def test_runs_are_chosen_by_their_batches_and_noise(api):
    noise = {"kind": "label", "std": 0.5, "distribution": "rademacher"}
    optimizers = [BASIC["optimizer"] | part for part in ({}, {"batch": {"size": 1}}, {"noise": noise})]
    payload = {"run": BASIC, "sweep": [{"optimizer": optimizers}]}
    assert api.post("/v1/experiments", json=payload).status_code == 202
    for where, expected in BATCHES.items():
        items = api.get("/v1/runs", params={"where": where}).json()["items"]
        assert {run["index"] for run in items} == expected, where


def test_sweeps_over_batches_and_noise_are_priced(api):
    sweep = [{"optimizer.batch": [{"size": 1}, {"size": 2}]}, {"optimizer.noise": [{"kind": "gradient", "std": 0.1}]}]
    costs = [api.post("/v1/experiments?dry_run=true", json={"run": BASIC, "sweep": one}) for one in ([], sweep)]
    plain, noisy = (cost.json()["cost"]["max_multiply_adds"] / cost.json()["runs"] for cost in costs)
    assert noisy > plain


def test_a_sweep_over_schedules_prices_and_draws(api):
    sweep = [{"optimizer.learning_rate": [0.01, COSINE, {"kind": "polyak"}]}]
    priced = api.post("/v1/experiments?dry_run=true", json={"run": BASIC, "sweep": sweep})
    assert priced.status_code == 200
    assert priced.json()["runs"] == 3
