"""Runs of several phases over HTTP: posted, swept, continued, asked for and drawn."""

from typing import Any

import pytest

from tests.api.test_continuations import assert_same_run, extend, finished
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC

SWITCH = {"problem": {"z": 2.0}, "stop": {"max_steps": 150}}
OFF = {"optimizer": {"kind": "momentum", "learning_rate": 0.02}, "stop": {"max_steps": 80}}
RUN: dict[str, Any] = {**BASIC, "stop": {"max_steps": 77}, "phases": [SWITCH, OFF]}


def runs_of(api, experiment):
    return api.get(f"/v1/runs?experiment_id={experiment['id']}&limit=100").json()["items"]


def columns_of(api, run, query=""):
    return api.get(f"/v1/runs/{run['id']}/trajectory{query}").json()["columns"]


@BOTH_DATABASES
def test_a_run_goes_through_its_phases(api, finish):
    (run,) = runs_of(api, finish({"run": RUN}))
    assert (run["status"], run["outcome"], run["step"]) == ("succeeded", "budget_exhausted", 307)
    assert run["summary"]["phase"] == 2
    assert run["summary"]["time"] == pytest.approx(227 * 0.01 + 80 * 0.02, rel=1e-14)
    columns = columns_of(api, run)
    phases = dict(zip(columns["step"], columns["phase"], strict=True))
    assert (phases[0], phases[77], phases[227], phases[307]) == (0, 0, 1, 2)
    assert set(phases.values()) == {0, 1, 2}
    assert columns["step"] == sorted(set(columns["step"]))
    assert columns["time"] == sorted(columns["time"])
    (found,) = api.get("/v1/runs?where=summary.phase = 2 AND phases[0].problem.z = 2").json()["items"]
    assert found["id"] == run["id"]
    assert run["spec"]["phases"][0]["problem"] == {**RUN["problem"], "z": 2.0, "z_prime": 1.0, "epsilon": 0.0}
    again = api.post("/v1/experiments?dry_run=true", json={"run": run["spec"]})
    assert again.json()["cost"]["max_steps"] == 307


def test_a_run_without_phases_has_no_column_of_them(api, finish):
    (run,) = runs_of(api, finish({"run": {**BASIC, "stop": {"max_steps": 20}}}))
    assert "phase" not in run["summary"]
    assert "phase" not in columns_of(api, run)
    assert "phases" not in run["spec"]
    assert api.get(f"/v1/runs/{run['id']}/theory").json()["silent_after"] is None


@BOTH_DATABASES
@pytest.mark.parametrize("engine", ["torch", "fused"])
@pytest.mark.parametrize("last", [0, 41])
def test_an_extended_run_goes_on_with_its_last_phase(api, finish, dispatcher, engine, last):
    def lasting(steps: int) -> dict[str, Any]:
        return {**RUN, "engine": engine, "phases": [SWITCH, {**OFF, "stop": {"max_steps": steps}}]}

    (short,) = runs_of(api, finish({"run": lasting(last)}))
    assert extend(api, short, max_steps=90).status_code == 202
    (long,) = runs_of(api, finish({"run": lasting(90)}))
    assert_same_run(api, finished(api, dispatcher, short["id"]), long)


def test_less_than_the_last_phase_is_no_extension(api, finish):
    (run,) = runs_of(api, finish({"run": RUN}))
    refused = extend(api, run, max_steps=79)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"pointer": "/max_steps", "detail": "The run goes to max_steps 80 already; ask for more."}
    ]


def test_a_run_cancelled_in_a_later_phase_is_tried_again_from_there(api, dispatcher, finish):
    posted = api.post("/v1/experiments", json={"run": RUN}).headers["location"]
    run = {"step": 0}
    while run["step"] < 77:  # where its first phase ends, which takes several slices on a busy machine
        dispatcher.tick()
        (run,) = runs_of(api, {"id": posted.rpartition("/")[2]})
    assert run["status"] == "running"
    api.post(f"/v1/runs/{run['id']}/cancel")
    assert api.post(f"/v1/runs/{run['id']}/retry").status_code == 202
    (whole,) = runs_of(api, finish({"run": RUN}))
    assert_same_run(api, finished(api, dispatcher, run["id"]), whole)


def test_sweeps_lead_into_phases(api, finish):
    sweep = [{"stop.max_steps": [0, 50]}, {"phases.0.problem.z": [1.0, 3.0], "phases.1.stop.max_steps": [5, 6]}]
    experiment = finish({"run": RUN, "sweep": sweep})
    runs = runs_of(api, experiment)
    assert [run["step"] for run in runs] == [155, 156, 205, 206]
    assert [run["spec"]["phases"][0]["problem"]["z"] for run in runs] == [1.0, 3.0, 1.0, 3.0]
    groups = api.get(f"/v1/experiments/{experiment['id']}/summary?metric=loss&group_by=phases.1.stop.max_steps").json()
    assert [group["group"] for group in groups["items"]] == [{"phases.1.stop.max_steps": steps} for steps in (5, 6)]
    assert len(api.get("/v1/runs?where=phases.1.stop.max_steps = 6 AND stop.max_steps < 1").json()["items"]) == 1
    rows = api.get("/v1/runs?format=csv&fields=index,phases.1.stop.max_steps").text.split()
    assert rows == ["index,phases.1.stop.max_steps", "0,5", "1,6", "2,5", "3,6"]
    figure = api.get(f"/v1/experiments/{experiment['id']}/figures/metrics.json").json()
    assert any("phase 1 z" in trace.get("name", "") for trace in figure["data"]) or "phase 1 z" in str(figure)
    assert api.get(f"/experiments/{experiment['id']}").status_code == 200


@pytest.mark.parametrize(
    ("phase", "pointer", "said"),
    [
        ({"problem": {"z": "far"}}, "/run/phases/0/problem/z", "Give a number."),
        ({"problem": {"width": 2}}, "/run/phases/0/problem/width", "Unknown field"),
        ({"problem": {"kind": "all_but_corner", "dimension": 3}}, "/run/phases/0/problem", "shapes"),
        ({"problem": {"kind": "nothing"}}, "/run/phases/0/problem/kind", "There is no kind"),
        ({"optimizer": {"kind": "adam"}}, "/run/phases/0/optimizer/learning_rate", "required"),
        (
            {"optimizer": {"learning_rate": {"kind": "cosine"}}},
            "/run/phases/0/optimizer/learning_rate/from",
            "required",
        ),
        ({"stop": {}}, "/run/phases/0/stop/max_steps", "required"),
        ({"stop": None}, "/run/phases/0/stop", "object"),
        ({"init": {}}, "/run/phases/0/init", "Unknown field"),
        ({"stop": {"max_steps": 10**13}}, "/run/stop/max_steps", "max_steps_per_run"),
    ],
)
def test_a_mistake_is_pointed_at(api, phase, pointer, said):
    run = {**BASIC, "phases": [{"stop": {"max_steps": 5}, **phase}]}
    answer = api.post("/v1/experiments?dry_run=true", json={"run": run})
    assert answer.status_code == 422
    (error, *_) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert said in error["detail"]


@pytest.mark.parametrize(("phases", "pointer"), [([], "/run/phases"), (3, "/run/phases"), ([3], "/run/phases/0")])
def test_phases_are_a_list_of_objects(api, phases, pointer):
    answer = api.post("/v1/experiments", json={"run": {**BASIC, "phases": phases}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def switches_in(api, experiment, query=""):
    """Positions of the vertical lines in the first panel of the figure, and their names."""
    figure = api.get(f"/v1/experiments/{experiment['id']}/figures/metrics.json?metrics=loss{query}").json()
    lines = [trace for trace in figure["data"] if trace.get("name") == "next phase begins"]
    return [tuple(trace["x"]) for trace in lines if trace["x"] != [None]]  # that one is the legend's


def test_figures_have_a_line_where_a_phase_ends(api, finish):
    experiment = finish({"run": RUN})
    assert switches_in(api, experiment) == [(77, 77), (227, 227)]
    ((first, _), (second, _)) = switches_in(api, experiment, "&x=time")
    assert (first, second) == pytest.approx((0.77, 2.27))
    assert switches_in(api, experiment, "&x=loss") == []
    assert switches_in(api, finish({"run": {**RUN, "phases": None}})) == []
    swept = [{"stop.max_steps": [10 * number for number in range(1, 9)]}]
    assert switches_in(api, finish({"run": RUN, "sweep": swept})) == []


def test_a_flow_has_no_phases(api):
    run = {**BASIC, "engine": "auto", "optimizer": {"kind": "gradient_flow"}, "stop": {"max_time": 1.0}}
    answer = api.post("/v1/experiments", json={"run": {**run, "phases": [{"stop": {"max_time": 2.0}}]}})
    assert answer.json()["errors"][0]["pointer"] == "/run/phases"
    detail = answer.json()["errors"][0]["detail"]
    assert "numbered by their times" in detail
    assert "start at the factors of the first" in detail


def test_a_flow_is_no_phase_and_the_answer_says_what_to_do(api):
    run = {**RUN, "phases": [{"optimizer": {"kind": "gradient_flow"}, "stop": {"max_time": 2.0}}]}
    (error,) = api.post("/v1/experiments", json={"run": run}).json()["errors"]
    assert error["pointer"] == "/run/phases/0/optimizer/kind"
    assert "let a run of gradient_flow start at its factors" in error["detail"]


def test_a_flow_goes_on_from_the_factors_of_a_descent(api, finish):
    """What the answer above says to do."""
    (descent,) = runs_of(api, finish({"run": {**RUN, "phases": None}}))
    flow = {
        **{name: part for name, part in RUN.items() if name not in ("phases", "init", "optimizer", "stop", "engine")},
        "init": {"kind": "run", "id": descent["id"]},
        "optimizer": {"kind": "gradient_flow"},
        "stop": {"max_time": 0.0},
    }
    (run,) = runs_of(api, finish({"run": flow}))
    assert run["summary"]["loss"] == pytest.approx(descent["summary"]["loss"], rel=1e-12)


def test_an_item_that_a_list_lacks_is_told(api):
    answer = api.post("/v1/experiments", json={"run": RUN, "sweep": [{"phases.2.stop.max_steps": [1]}]})
    assert answer.json()["errors"][0]["pointer"] == "/sweep/0/phases.2.stop.max_steps"
    assert "no item '2'" in answer.json()["errors"][0]["detail"]


def test_theory_speaks_of_the_first_phase_and_says_so(api, finish):
    (run,) = runs_of(api, finish({"run": RUN}))
    theory = api.get(f"/v1/runs/{run['id']}/theory").json()
    assert theory["applies"]
    assert theory["silent_after"] == 77
    assert theory["columns"]["step"][-1] == 77
    (plain,) = runs_of(api, finish({"run": {**RUN, "phases": None}}))
    alone = api.get(f"/v1/runs/{plain['id']}/theory").json()
    for name in ("bound_holds", "worst_margin", "columns", "predicted_limit", "tightness_law"):
        assert theory[name] == alone[name], name
    assert "Theory speaks of the first phase, up to step 77" in api.get(f"/runs/{run['id']}").text


def test_exports_and_figures_have_the_phase(api, finish):
    experiment = finish({"run": RUN})
    (run,) = runs_of(api, experiment)
    lines = api.get(f"/v1/runs/{run['id']}/trajectory?format=csv&metrics=phase").text.split()
    assert lines[0].endswith("phase")
    assert lines[-1] == f"{run['id']},307,{run['summary']['time']!r},2"
    for figure in ("metrics", "unobserved_entry", "sweep"):
        assert api.get(f"/v1/experiments/{experiment['id']}/figures/{figure}.svg").status_code in (200, 422)
    assert api.get(f"/v1/experiments/{experiment['id']}/figures/metrics.svg?metrics=phase").status_code == 200
