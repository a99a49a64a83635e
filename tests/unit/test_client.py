"""The client: what it sends, what it tries again, and what it gives up."""

import subprocess
import sys

import httpx2
import pytest

from service.client.api import Rankward, ServerSaidNo, ServerUnreachable
from service.client.transport import TRIES, Transport


class Scripted:
    """Answers in turn; the last one again and again. Exceptions are raised."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.waits = []
        transport = Transport("http://test", "secret", self.waits.append, httpx2.MockTransport(self._answer))
        self.client = Rankward("http://test", transport=transport)

    def _answer(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def said(status, content=None, **headers):
    return httpx2.Response(status, json={} if content is None else content, headers=headers)


def test_a_busy_server_is_asked_again():
    server = Scripted(said(503), said(429, **{"Retry-After": "7"}), said(200, {"id": "x"}))
    assert server.client.run("x") == {"id": "x"}
    assert server.waits == [0.5, 7.0]


def test_a_submission_is_repeated_under_the_same_key():
    lost = httpx2.ReadError("the line broke")
    server = Scripted(lost, lost, said(202, {"id": "e"}))
    server.client.submit({"run": {}})
    keys = {request.headers["idempotency-key"] for request in server.requests}
    assert (len(server.requests), len(keys)) == (3, 1)
    assert server.requests[0].headers["authorization"] == "Bearer secret"


def test_what_may_have_come_through_is_not_sent_twice():
    server = Scripted(httpx2.ReadError("the line broke"))
    with pytest.raises(ServerUnreachable):
        server.client.retry("x")
    assert len(server.requests) == 1
    server = Scripted(httpx2.ConnectError("no one there"))
    with pytest.raises(ServerUnreachable, match="rankward serve"):
        server.client.retry("x")
    assert len(server.requests) == TRIES
    assert server.waits == [0.5, 1.0, 2.0, 4.0]


def test_a_refusal_shows_the_place():
    mistake = {"pointer": "/where", "detail": "There is no field.", "character": 3, "excerpt": "a b\n  ^"}
    server = Scripted(said(422, {"detail": "d", "errors": [mistake]}))
    with pytest.raises(ServerSaidNo) as refused:
        list(server.client.runs(where="a b"))
    assert refused.value.detail == "/where: There is no field.\na b\n  ^"
    assert len(server.requests) == 1


def test_an_answer_that_is_no_problem_document():
    server = Scripted(httpx2.Response(502, text="<html>bad gateway"))
    with pytest.raises(ServerSaidNo, match="502"):
        server.client.run("x")


def test_pages_are_followed():
    pages = [said(200, {"items": [1, 2], "next": "c"}), said(200, {"items": [3], "next": None})]
    server = Scripted(*pages)
    asked = server.client.runs("e", where="seed = 1", order_by=["seed desc", "index"], fields="id")
    assert list(asked) == [1, 2, 3]
    first, second = (dict(request.url.params) for request in server.requests)
    expected = {
        "experiment_id": "e",
        "where": "seed = 1",
        "order_by": "seed desc,index",
        "fields": "id",
        "limit": "1000",
    }
    assert (first, second) == (expected, {**expected, "cursor": "c"})


def test_limits_of_an_extension():
    server = Scripted(said(202))
    server.client.extend("x", max_steps=5)
    assert (server.requests[0].url.path, server.requests[0].content) == ("/v1/runs/x/extend", b'{"max_steps":5}')


def test_a_half_file_is_not_kept(tmp_path):
    server = Scripted(said(422, {"detail": "no"}))
    with pytest.raises(ServerSaidNo):
        server.client.export("runs", "csv", tmp_path / "runs.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_breaks_leaves_no_file_of_that_name(tmp_path):
    def broken():
        yield b"id\r\n"
        raise httpx2.ReadError("the line broke")

    server = Scripted(httpx2.Response(200, content=broken()))
    with pytest.raises(ServerUnreachable):
        server.client.export("runs", "csv", tmp_path / "runs.csv")
    assert list(tmp_path.iterdir()) == []


def test_it_imports_nothing_heavy():
    heavy = ("torch", "pyarrow", "numpy", "sqlalchemy", "fastapi", "pydantic", "rich", "dask")
    code = f"import sys, service.client.api; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
