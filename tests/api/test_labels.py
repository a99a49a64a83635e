"""Labels: checked before anything is drawn, of observations and of what is held out."""

import pytest

from tests.helpers.specs import BASIC

DRAWN = [
    {"kind": "random_regression", "samples": 10**9, "dimension": 3, "outputs": 2},
    {"kind": "low_rank_completion", "shape": [10**6, 10**6], "rank": 1, "observed": 5},
    {"kind": "low_rank_sensing", "shape": [10**6, 10**6], "rank": 1, "measurements": 5},
    {"kind": "all_but_corner", "dimension": 10**6},
]
LISTED = {"kind": "completion", "shape": [2, 2], "observations": [{"index": [0, 0], "value": 1}]}
OF_SAMPLES = {"kind": "regression", "inputs": [[1.0], [2.0]], "outputs": [1, -1]}


def mistake(api, **parts):
    run = BASIC | {"init": {"kind": "gaussian", "std": 0.1}} | parts
    answer = api.post("/v1/experiments?dry_run=true", json={"run": run})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    return error["pointer"], error["detail"]


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("problem", DRAWN, ids=lambda problem: problem["kind"])
def test_drawn_values_are_no_labels_and_are_not_drawn(api, problem, loss):
    pointer, detail = mistake(api, problem=problem, loss=loss)
    assert pointer == "/run/problem"
    assert "1 or -1" in detail


@pytest.mark.parametrize(
    ("problem", "held_out", "pointer"),
    [
        (LISTED, [{"index": [0, 1], "value": 1}, {"index": [1, 0], "value": 0.3}], "/held_out/1/value"),
        (OF_SAMPLES, {"inputs": [[1.0]], "outputs": [0.5]}, "/held_out/outputs"),
    ],
)
def test_held_out_values_are_labels_too(api, problem, held_out, pointer):
    assert mistake(api, problem=problem | {"held_out": held_out}, loss="logistic")[0] == f"/run/problem{pointer}"
    fine = api.post("/v1/experiments?dry_run=true", json={"run": BASIC | {"problem": problem, "loss": "logistic"}})
    assert fine.status_code == 200


@pytest.mark.parametrize(
    ("problem", "pointer"),
    [
        ({"kind": "random_regression", "samples": 5, "dimension": 3, "held_out": 10**9}, "/run/problem/held_out"),
        ({"kind": "random_regression", "samples": 10**7, "dimension": 1, "outputs": 10**5}, "/run/problem"),
    ],
)
def test_what_is_drawn_is_limited(api, problem, pointer):
    where, detail = mistake(api, problem=problem)
    assert where == pointer
    assert "RANKWARD_MAX_OBSERVED_NUMBERS" in detail


def test_the_pointer_of_a_rate_has_no_level_of_its_own(api):
    optimizer = {"kind": "gradient_descent", "learning_rate": None}
    assert mistake(api, optimizer=optimizer)[0] == "/run/optimizer/learning_rate"
