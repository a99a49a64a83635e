"""Requests that take long hold up no others; threads are made to wait, and no time is measured."""

import threading
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.routes import dependencies, experiments
from service.settings import Limits
from service.web import submission
from tests.helpers.specs import BASIC

pytestmark = pytest.mark.slow

AT_ONCE = 16


class Gate:
    """Holds back the calls of a function, and counts them."""

    def __init__(self, act):
        self._act, self._open, self._guard = act, threading.Event(), threading.Lock()
        self.entered, self.inside, self.most_inside = threading.Event(), 0, 0

    def __call__(self, *arguments):
        with self._guard:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        self.entered.set()
        assert self._open.wait(60)
        with self._guard:
            self.inside -= 1
        return self._act(*arguments)

    def open(self):
        self._open.set()


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings, Limits()), base_url="http://localhost") as client:
        yield client


def submit(client):
    return client.post("/v1/experiments", json={"run": BASIC}).status_code


def test_texts_hold_up_no_submission_and_are_read_one_after_another(client, monkeypatch):
    gate = Gate(submission.from_text)
    monkeypatch.setattr(submission, "from_text", gate)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = [
            threads.submit(client.post, "/new", data={"spec": "[" * 190_000, "act": "check"}) for _ in range(AT_ONCE)
        ]
        assert gate.entered.wait(30)
        assert submit(client) == 202
        assert client.get("/livez").status_code == 200
        gate.open()
        assert all("nested too deep" in answer.result().text for answer in answers)
    assert gate.most_inside == 1


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_large_bodies_are_taken_up_one_at_a_time_and_hold_up_no_others(client, monkeypatch, query):
    monkeypatch.setattr(dependencies, "LARGE_BODY_BYTES", 10_000)
    read = experiments.parse_request
    gate = Gate(read)
    monkeypatch.setattr(experiments, "parse_request", lambda body: (gate if len(body) > 10_000 else read)(body))
    body = orjson.dumps({"run": BASIC, "sweep": [{"seed": list(range(4000))}]})
    with ThreadPoolExecutor(6) as threads:
        answers = [threads.submit(client.post, f"/v1/experiments{query}", content=body) for _ in range(6)]
        assert gate.entered.wait(30)
        assert submit(client) == 202
        assert client.get("/livez").status_code == 200
        gate.open()
        assert {answer.result().status_code for answer in answers} == {200 if query else 202}
    assert gate.most_inside == 1


@pytest.mark.parametrize(
    ("body", "status"), [("&" * 5000, 400), ("spec=" + "%F0%9F%98%80" * 300_000, 413), ("spec=a&act=check", 200)]
)
def test_forms_have_limits_of_their_own(client, body, status):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/new", content=body, headers=headers).status_code == status


def test_an_experiment_too_long_for_the_form_is_not_written_into_it(client):
    request = {"run": BASIC, "sweep": [{"seed": list(range(60_000))}]}
    posted = client.post("/v1/experiments", json=request).json()
    page = client.get(f"/new?experiment={posted['id']}")
    assert page.status_code == 200
    assert "more than the 200,000" in page.text
