"""Bad input: refused with a pointer and a sentence that says what to do, and nothing stored."""

import copy
import json

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Limits
from tests.specs import BASIC


def changed(path, value):
    run = copy.deepcopy(BASIC)
    *parents, last = path.split(".")
    here = run
    for parent in parents:
        here = here[parent]
    here[last] = value
    return {"run": run}


def completion(*observations, shape=(2, 3), **fields):
    run = copy.deepcopy(BASIC)
    run["problem"] = {"kind": "completion", "shape": list(shape), "observations": list(observations), **fields}
    run["init"] = {"kind": "identity", "scale": 1.0}
    return {"run": run}


def observed(*index, value=1.0):
    return {"index": list(index), "value": value}


def tensor(problem=None, **parts):
    fields = {"kind": "low_rank_completion", "shape": [3, 3, 3], "rank": 1, "observed": 9, **(problem or {})}
    run = {**copy.deepcopy(BASIC), "problem": fields, "model": {"kind": "cp_tensor"}, "engine": "auto"}
    return {"run": {**run, "init": {"kind": "gaussian", "std": 0.1}, **parts}}


SQUARE = [[1.0, 0.0], [0.0, 1.0]]
CASES = {
    "unknown field": (changed("model.dept", 3), "/run/model/dept", "Unknown field"),
    "unknown field at the top": ({"run": BASIC, "colour": 1}, "/colour", "Unknown field"),
    "no run": ({"name": "x"}, "/run", "required"),
    "text for a number": (changed("model.depth", "3"), "/run/model/depth", "integer"),
    "truth for a number": (changed("seed", True), "/run/seed", "integer"),
    "fraction for an integer": (changed("model.depth", 2.5), "/run/model/depth", "integer"),
    "depth of zero": (changed("model.depth", 0), "/run/model/depth", "greater than or equal to 1"),
    "checks without a limit": (changed("stop", {"max_steps": 9, "checks_in_a_row": 3}), "/run/stop/loss_below", "give"),
    "checks that the fused engine has not": (
        {"run": {**BASIC, "engine": "fused", "stop": {"max_steps": 9, "loss_below": 0.1, "check_every": 100}}},
        "/run/engine",
        "first step below the limit",
    ),
    "negative learning rate": (
        changed("optimizer.learning_rate", -0.1),
        "/run/optimizer/learning_rate",
        "greater than 0",
    ),
    "infinite learning rate": (
        changed("optimizer.learning_rate", float("inf")),
        "/run/optimizer/learning_rate",
        "finite",
    ),
    "not a number": (changed("problem.epsilon", float("nan")), "/run/problem/epsilon", "finite"),
    "the word NaN": (changed("problem.epsilon", "NaN"), "/run/problem/epsilon", "number"),
    "missing part": (changed("stop", {}), "/run/stop/max_steps", "required"),
    "unknown kind": (changed("problem", {"kind": "cube"}), "/run/problem/kind", "perturbed_2x2"),
    "no kind": (changed("problem", {}), "/run/problem/kind", "kind"),
    "list for an object": (changed("problem", []), "/run/problem", "an object"),
    "unknown engine": (changed("engine", "warp9"), "/run/engine", "auto"),
    "too few factors": (
        changed("init", {"kind": "explicit", "factors": [SQUARE] * 2}),
        "/run/init/factors",
        "3 factors",
    ),
    "factor of the wrong shape": (
        changed("init", {"kind": "explicit", "factors": [SQUARE, [[1.0, 2.0]], SQUARE]}),
        "/run/init/factors/1",
        "2 x 2",
    ),
    "ragged factor": (
        changed("init", {"kind": "explicit", "factors": [SQUARE, SQUARE, [[1.0], [1.0, 2.0]]]}),
        "/run/init/factors/2",
        "2 x 2",
    ),
    "observation outside": (completion(observed(0, 3)), "/run/problem/observations/0/index", "outside the shape"),
    "observation of another order": (completion(observed(0)), "/run/problem/observations/0/index", "outside the shape"),
    "observation given twice": (
        completion(observed(0, 1), observed(0, 1)),
        "/run/problem/observations/1/index",
        "already given",
    ),
    "no observations": (completion(), "/run/problem/observations", "at least 1"),
    "target of another shape": (completion(observed(0, 1), target=SQUARE), "/run/problem/target", "2 x 3"),
    "determinant of a rectangle": (
        {"run": completion(observed(0, 1))["run"] | {"init": BASIC["init"]}},
        "/run/init/determinant",
        "no determinant",
    ),
    "determinant of a narrow model": (changed("model.hidden_width", 1), "/run/init/determinant", "always zero"),
    "rank above the shape": (
        changed("problem", {"kind": "low_rank_completion", "shape": [2, 2], "rank": 3, "observed": 2}),
        "/run/problem/rank",
        "at most 2",
    ),
    "more observations than entries": (
        changed("problem", {"kind": "low_rank_completion", "shape": [2, 2], "rank": 1, "observed": 5}),
        "/run/problem/observed",
        "only 4 entries",
    ),
    "measurement of another shape": (
        changed("problem", {"kind": "sensing", "shape": [2, 2], "measurements": [{"tensor": [[1.0]], "value": 1.0}]}),
        "/run/problem/measurements/0/tensor",
        "2 x 2",
    ),
    "rank of zero": (tensor({"rank": 0}), "/run/problem/rank", "greater than or equal to 1"),
    "components of zero": (tensor(model={"kind": "cp_tensor", "rank": 0}), "/run/model/rank", "greater than or equal"),
    "order of one": (tensor({"shape": [3]}), "/run/problem/shape", "give 2 for a matrix"),
    "order of thirteen": (tensor({"shape": [2] * 13}), "/run/problem/shape", "up to 12 for a tensor"),
    "rank above any tensor's": (tensor({"rank": 10}), "/run/problem/rank", "at most 9"),
    "more observations than a tensor has": (tensor({"observed": 28}), "/run/problem/observed", "only 27 entries"),
    "too large a tensor": (tensor({"shape": [100, 100, 100]}), "/run/problem", "RANKWARD_MAX_PRODUCT_ENTRIES"),
    "too many components": (
        tensor(model={"kind": "cp_tensor", "rank": 10**6}),
        "/run/model",
        "RANKWARD_MAX_TRAINED_NUMBERS",
    ),
    "negative noise": (tensor({"noise": -0.1}), "/run/problem/noise", "greater than or equal to 0"),
    "deep matrix of a tensor": (tensor(model={"kind": "deep_matrix", "depth": 3}), "/run/model/kind", "cp_tensor"),
    "identity start of components": (
        tensor(init={"kind": "identity", "scale": 1.0}),
        "/run/init/kind",
        "gaussian or explicit",
    ),
    "balanced components": (
        tensor(init={"kind": "gaussian", "std": 0.1, "balanced": True}),
        "/run/init/balanced",
        "deep_matrix",
    ),
    "determinant of components": (
        tensor(init={"kind": "gaussian", "std": 0.1, "determinant": "positive"}),
        "/run/init/determinant",
        "ask for 'any'",
    ),
    "too few factors of a tensor": (
        tensor(init={"kind": "explicit", "factors": [SQUARE]}),
        "/run/init/factors",
        "3 factors",
    ),
    "target of another order": (
        {"run": {**completion(observed(0, 1, 0), shape=(1, 2, 1), target=SQUARE)["run"]}},
        "/run/problem/target",
        "1 x 2 x 1",
    ),
    "text in a target": (completion(observed(0, 1), target=[[1.0, "2", 3.0]] * 2), "/run/problem/target/0/1", "number"),
    "fused engine for a tensor": (tensor(engine="fused"), "/run/engine", "cp_tensor"),
    "fused engine for adam": (
        changed("optimizer", {"kind": "adam", "learning_rate": 0.1}) | {"sweep": [{"engine": ["fused"]}]},
        "/sweep/0/engine/0",
        "adam",
    ),
    "rank of too large a product": (
        tensor({"shape": [30, 30, 30]}, record={"metrics": ["rank"]}),
        "/run/record/metrics",
        "8,192",
    ),
    "determinant metric of a tensor": (tensor(record={"metrics": ["determinant"]}), "/run/record/metrics", "square"),
    "two schedules": (changed("record", {"every": 2, "points_per_decade": 3}), "/run/record/every", "not both"),
    "tracked entry outside": (changed("record", {"entries": [[2, 0]]}), "/run/record/entries/0", "outside the shape"),
    "too many points": (
        changed("record", {"every": 1}) | {"sweep": [{"stop.max_steps": [10**6]}]},
        "/run/record",
        "RANKWARD_MAX_POINTS_PER_RUN",
    ),
    "too many steps": (changed("stop.max_steps", 10**13), "/run/stop/max_steps", "RANKWARD_MAX_STEPS_PER_RUN"),
    "too large a product": (
        changed("problem", {"kind": "all_but_corner", "dimension": 501}),
        "/run/problem",
        "RANKWARD_MAX_PRODUCT_ENTRIES",
    ),
    "too large a model": (changed("model.hidden_width", 10**6), "/run/model", "RANKWARD_MAX_TRAINED_NUMBERS"),
    "too many measured numbers": (
        changed("problem", {"kind": "low_rank_sensing", "shape": [100, 100], "rank": 1, "measurements": 10**4}),
        "/run/problem",
        "RANKWARD_MAX_OBSERVED_NUMBERS",
    ),
    "too many runs": (
        {"run": BASIC, "sweep": [{"seed": list(range(101))}]},
        "/sweep",
        "RANKWARD_MAX_RUNS_PER_EXPERIMENT",
    ),
    "too many runs by far": (
        {"run": BASIC, "sweep": [{f"p{i}": list(range(100))} for i in range(50)]},
        "/sweep",
        "RANKWARD_MAX_RUNS_PER_EXPERIMENT",
    ),
    "axis of unequal lengths": (
        {"run": BASIC, "sweep": [{"seed": [1, 2], "init.std": [1.0]}]},
        "/sweep/0/init.std",
        "move together",
    ),
    "wrong value in a sweep": (
        {"run": BASIC, "sweep": [{"seed": [1]}, {"init.std": [0.1, -1]}]},
        "/sweep/1/init.std/1",
        "greater than 0",
    ),
    "wrong path in a sweep": ({"run": BASIC, "sweep": [{"model.dept": [1]}]}, "/sweep/0/model.dept/0", "Unknown field"),
    "huge integer": (changed("seed", 10**30), "/run/seed", "not exact"),
    "huge integer in a sweep": ({"run": BASIC, "sweep": [{"seed": [1, 10**30]}]}, "/sweep/0/seed/1", "not exact"),
    "not a number where the sweep overrides it": (
        changed("seed", float("nan")) | {"sweep": [{"seed": [1]}]},
        "/run/seed",
        "finite",
    ),
    "bottomless depth": (changed("model.depth", 2**53 - 1), "/run/model/depth", "less than or equal to 1000"),
    "misspelt parent in a sweep": ({"run": BASIC, "sweep": [{"modle.depth": [1]}]}, "/sweep/0/modle.depth", "Unknown"),
    "empty step of a path": ({"run": BASIC, "sweep": [{"a..b": [1]}]}, "/sweep/0/a..b", "Unknown field"),
    "tag without a name": ({"run": BASIC, "tags": {"": "x"}}, "/tags/", "at least 1 character"),
    "sweep that is no list": ({"run": BASIC, "sweep": {"seed": [1]}}, "/sweep", "list"),
    "tag that is no text": ({"run": BASIC, "tags": {"a": 1}}, "/tags/a", "string"),
    "name that is too long": ({"run": BASIC, "name": "x" * 201}, "/name", "200"),
    "NUL in the name": ({"run": BASIC, "name": "a\0b"}, "/name", "\\u0000"),
    "NUL in a tag": ({"run": BASIC, "tags": {"a": "\0"}}, "/tags/a", "\\u0000"),
    "NUL in the name of a tag": ({"run": BASIC, "tags": {"\0": "a"}}, "/tags", "\\u0000"),
    "NUL in the run": (changed("model.kind", "deep\0matrix"), "/run/model/kind", "\\u0000"),
    "NUL in the sweep": ({"run": BASIC, "sweep": [{"model.kind": ["\0"]}]}, "/sweep/0/model.kind/0", "\\u0000"),
}


def refused(api, body, status=422):
    answer = api.post("/v1/experiments", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail"} <= problem.keys()
    assert problem["status"] == status
    assert api.get("/v1/experiments").json()["items"] == []
    assert api.get("/v1/runs").json()["items"] == []
    return problem


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_payload(api, case):
    payload, pointer, sentence = CASES[case]
    errors = refused(api, json.dumps(payload))["errors"]
    assert (errors[0]["pointer"], sentence in errors[0]["detail"]) == (pointer, True), errors


@pytest.mark.parametrize(
    "body", ["", "{", "[1, 2", '{"run": {}} {}', "nonsense", '{"run": \x00}', b"\xff\xfe", "[" * 90_000]
)
def test_what_is_not_json(api, body):
    (error,) = refused(api, body)["errors"]
    assert error["pointer"] == ""
    assert error["detail"]


@pytest.mark.parametrize("body", ["3", "null", "[]", '"text"'])
def test_json_that_is_no_object(api, body):
    assert refused(api, body)["errors"][0]["pointer"] == ""


def test_a_body_past_the_limit(api):
    problem = refused(api, json.dumps({"run": BASIC, "name": "x" * 200_000}), status=413)
    assert "RANKWARD_MAX_BODY_BYTES" in problem["detail"]
    assert [error["pointer"] for error in problem["errors"]] == [""]


def test_a_streamed_body_past_the_limit(api):
    answer = api.post("/v1/experiments", content=(b" " * 1000 for _ in range(200)))
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/v1/runs?limit=0", "/limit"),
        ("/v1/runs?limit=x", "/limit"),
        ("/v1/runs?colour=red", "/colour"),
        ("/v1/runs?status=asleep", "/status"),
        ("/v1/runs?cursor=nonsense", "/cursor"),
        ("/v1/runs?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ==", "/cursor"),
        ("/v1/runs/x/trajectory?from_step=1000000000000000000000000000000", "/from_step"),
        ("/v1/experiments?cursor=%F0%9F%98%80", "/cursor"),
    ],
)
def test_a_wrong_query(api, path, pointer):
    answer = api.get(path)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("PUT", "/v1/runs", 405),
        ("GET", "/v1/runs/none", 404),
        ("GET", "/v1/runs/none/trajectory", 404),
        ("GET", "/v1/runs/none/factors", 404),
        ("GET", "/v1/experiments/none", 404),
        ("POST", "/v1/experiments/none/cancel", 404),
        ("DELETE", "/v1/experiments/none", 404),
    ],
)
def test_what_is_not_there(api, method, path, status):
    answer = api.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_too_many_bytes_of_specs(database, settings):
    limits = Limits(max_spec_bytes_per_experiment=500)
    with TestClient(create_app(settings, limits)) as api:
        problem = refused(api, json.dumps({"run": BASIC, "sweep": [{"seed": [1, 2, 3]}]}))
    assert "RANKWARD_MAX_SPEC_BYTES_PER_EXPERIMENT" in problem["detail"]
