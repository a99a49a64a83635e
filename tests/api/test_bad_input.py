"""Bad input: refused with a pointer and a sentence that says what to do, and nothing stored."""

import json

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Limits
from tests.api.wrong_payloads import CASES
from tests.api.wrong_payloads.payloads import changed
from tests.helpers.specs import BASIC

JSON = {"content-type": "application/json"}


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


def test_a_default_that_could_not_be_filled_in_is_no_mistake_of_its_own(api):
    errors = refused(api, json.dumps(changed("optimizer.learning_rate", -0.1)))["errors"]
    assert [error["pointer"] for error in errors] == ["/run/optimizer/learning_rate"]


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
    answer = api.post("/v1/experiments", content=(b" " * 1000 for _ in range(200)), headers=JSON)
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
    with TestClient(create_app(settings, limits), base_url="http://localhost") as api:
        problem = refused(api, json.dumps({"run": BASIC, "sweep": [{"seed": [1, 2, 3]}]}))
    assert "RANKWARD_MAX_SPEC_BYTES_PER_EXPERIMENT" in problem["detail"]
