"""What theory says of a run, over HTTP."""

import numpy as np
import pytest

from tests.helpers.specs import BASIC

ALL = [[0, 0], [0, 1], [1, 0], [1, 1]]
BALANCED = BASIC["init"] | {"balanced": True}


def theory(api, finish, **changes):
    experiment = finish({"run": BASIC | changes})
    (run,) = api.get(f"/v1/runs?experiment_id={experiment['id']}").json()["items"]
    answer = api.get(f"/v1/runs/{run['id']}/theory")
    assert answer.status_code == 200, answer.text
    return run, answer.json()


def test_a_run_beside_its_bounds(api, finish):
    run, found = theory(api, finish, init=BALANCED, stop={"max_steps": 2000, "loss_below": 1e-3})
    assert (found["run_id"], found["applies"], found["reason"]) == (run["id"], True, None)
    check_the_setting_and_the_verdict(run, found)
    check_the_laws(run, found)
    check_that_no_column_crosses_its_bound(found["columns"])
    assert {len(column) for column in found["columns"].values()} == {found["points"]}
    trajectory = api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]
    assert found["columns"]["unobserved_entry"] == trajectory["unobserved_entry"]


def check_the_setting_and_the_verdict(run, found):
    setting = found["setting"]
    assert (setting["kind"], setting["unobserved"], setting["needed_determinant_sign"]) == ("basic_2x2", [0, 0], 1)
    assert found["sign_held_until"] == run["step"] == found["columns"]["step"][-1]
    assert found["undecided_from"] is None
    assert found["determinant_sign_changed_at"] is None
    assert found["bound_holds"] is True
    assert 1 - 1e-9 <= found["worst_margin"] < 1.02


def check_the_laws(run, found):
    assert found["predicted_limit"] == "Infinity"
    assert found["tightness_law"]["time"] == run["summary"]["time"]
    assert found["stability_limit"]["loss"] == pytest.approx(0.5 / 200**1.5)


def check_that_no_column_crosses_its_bound(columns):
    for low, high in (
        ("bound", "unobserved_entry"),
        ("effective_rank", "effective_rank_at_most"),
        ("distance_to_infimal_rank", "distance_to_infimal_rank_at_most"),
    ):
        assert (np.array(columns[low]) <= np.array(columns[high]) * (1 + 1e-9)).all()


def test_a_perturbed_setting_has_a_limit_and_no_laws(api, finish):
    problem = {"kind": "perturbed_2x2", "z": -2.0, "z_prime": 0.5, "epsilon": 0.1}
    record = {"entries": [[0, 1], [1, 0], [1, 1]]}
    _run, found = theory(api, finish, problem=problem, init=BALANCED | {"determinant": "negative"}, record=record)
    assert found["predicted_limit"] == pytest.approx(-10)
    assert found["setting"]["needed_determinant_sign"] == -1
    assert found["bound_holds"] is True
    assert found["tightness_law"] is None
    assert found["stability_limit"] is None
    entry, certificate = (np.array(found["columns"][name]) for name in ("unobserved_entry", "certificate"))
    assert (np.abs(entry) >= certificate * (1 - 1e-9)).all()


def test_runs_of_which_theory_says_nothing_say_why(api, finish):
    _run, found = theory(api, finish, init=BALANCED | {"determinant": "negative"})
    assert found["applies"] is False
    assert "starts negative" in found["reason"]
    assert found["setting"]["kind"] == "basic_2x2"
    assert found["columns"] == {}
    assert found["bound_holds"] is None
    problem = {"kind": "low_rank_completion", "shape": [3, 2], "rank": 1, "observed": 4}
    _run, found = theory(api, finish, problem=problem, init={"kind": "gaussian", "std": 0.1})
    assert found["applies"] is False
    assert "square" in found["reason"]
    assert found["setting"] is None


def test_a_run_that_has_not_begun_has_no_verdict(api):
    api.post("/v1/experiments", json={"run": BASIC})
    (run,) = api.get("/v1/runs").json()["items"]
    found = api.get(f"/v1/runs/{run['id']}/theory").json()
    assert found["applies"] is True
    assert (found["points"], found["bound_holds"], found["sign_held_until"]) == (0, None, None)


def test_an_exact_fit_spells_what_is_not_finite(api, finish):
    start = {"kind": "explicit", "factors": [[[2.0, 1.0], [1.0, 0.0]]]}
    _run, found = theory(api, finish, model={"kind": "deep_matrix", "depth": 1}, init=start)
    assert found["applies"] is False
    start = {"kind": "explicit", "factors": [[[0.0, 0.0], [0.0, 0.0]]]}
    stop = {"max_steps": 1}
    _run, found = theory(api, finish, model={"kind": "deep_matrix", "depth": 1}, init=start, stop=stop)
    assert found["undecided_from"] == 0
    assert found["bound_holds"] is None
    assert found["columns"]["effective_rank"][0] == "NaN"


def test_a_run_that_leaves_the_finite_numbers_has_an_answer_and_a_figure(api, finish):
    rate = {"kind": "gradient_descent", "learning_rate": 1e9}
    run, found = theory(api, finish, init=BALANCED | {"std": 3.0}, optimizer=rate, record={"every": 1, "entries": ALL})
    assert run["outcome"] == "diverged"
    assert found["points"] > 0
    figure = api.get(f"/v1/experiments/{run['experiment_id']}/figures/unobserved_entry.png")
    assert figure.status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(("std", "is_lost"), [(1e-2, False), (1e-6, True)])
def test_the_figure_marks_signs_that_change_or_are_lost(api, finish, std, is_lost):
    """Depth 2: from the larger start the sign changes while it is certain, from the smaller one it is lost first."""
    shallow = {"model": {"kind": "deep_matrix", "depth": 2}, "init": BALANCED | {"std": std}}
    run, found = theory(api, finish, **shallow, stop={"max_steps": 20000, "loss_below": 1e-4})
    assert found["determinant_sign_changed_at"] is not None
    assert (found["undecided_from"] is not None) is is_lost
    figure = api.get(f"/v1/experiments/{run['experiment_id']}/figures/unobserved_entry.png")
    assert figure.status_code == 200
    assert figure.content.startswith(b"\x89PNG")


def test_an_unknown_run_is_not_found(api):
    answer = api.get("/v1/runs/none/theory")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


DEPTH_2 = {"model": {"kind": "deep_matrix", "depth": 2}}
SYMMETRIC = {"model": {"kind": "symmetric_matrix"}}
ITSELF = {"model": {"kind": "deep_matrix", "depth": 1}}


@pytest.mark.parametrize(
    ("optimizer", "parts", "is_respected"),
    [
        ({"kind": "muon"}, DEPTH_2, True),
        ({"kind": "adam"}, DEPTH_2, False),
        ({"kind": "adam", "shared_scale": True}, SYMMETRIC, True),
        ({"kind": "lion"}, ITSELF, None),
    ],
)
def test_whether_products_depend_on_the_factorisation(api, finish, optimizer, parts, is_respected):
    run = {"init": {"kind": "gaussian", "std": 0.1}, "engine": "auto", "stop": {"max_steps": 10}, **parts}
    _run, found = theory(api, finish, optimizer={**optimizer, "learning_rate": 0.01}, **run)
    if is_respected is None:
        assert found["factorisation"] is None
        return
    assert found["factorisation"]["is_respected"] == is_respected
    said = "has the same products" if is_respected else "has other products"
    assert said in found["factorisation"]["statement"]
