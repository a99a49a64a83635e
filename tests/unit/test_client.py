"""The client: what it sends, what it tries again, and what it gives up."""

import json
import subprocess
import sys

import httpx2
import numpy as np
import pandas as pd
import pytest

from service.cli.factors import factors
from service.client.api import NotJson, Rankward, ServerSaidNo, ServerUnreachable
from service.client.transport import TRIES, Transport
from tests.helpers import logs

WHOLE = "01a210b7-6d87-75e6-8bfd-c9f5af52f98f"


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


def test_what_is_waited_for_is_said_once_and_only_before_the_first_answer():
    silence = httpx2.ConnectError("re\x1bfused")
    server = Scripted(silence, silence, said(200, {"id": "x"}), silence, said(200, {"id": "x"}))
    with logs.said() as lines:
        server.client.run("x")
        server.client.run("x")
    assert lines == ["No server answers at http://test yet (re\\x1bfused); trying again."]


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


@pytest.mark.parametrize("lost", [httpx2.ReadError("the line broke"), said(502), said(504)])
def test_a_delete_whose_answer_was_lost_is_done(lost):
    server = Scripted(lost, said(404, {"status": 404, "detail": "There is no experiment."}))
    server.client.delete(WHOLE)
    assert [request.method for request in server.requests] == ["DELETE", "DELETE"]


@pytest.mark.parametrize("before", [[], [httpx2.ConnectError("no one there")], [said(503)]])
def test_a_delete_of_nothing_is_refused(before):
    server = Scripted(*before, said(404, {"status": 404, "detail": "There is no experiment."}))
    with pytest.raises(ServerSaidNo, match="There is no experiment"):
        server.client.delete(WHOLE)


def test_a_short_id_is_made_whole_before_a_delete():
    """Sent again, it might stand for another experiment by then."""
    server = Scripted(said(200, {"id": WHOLE}), said(204))
    server.client.delete(WHOLE[-8:])
    assert [(request.method, request.url.path) for request in server.requests] == [
        ("GET", f"/v1/experiments/{WHOLE[-8:]}"),
        ("DELETE", f"/v1/experiments/{WHOLE}"),
    ]


def test_waiting_goes_on_through_a_server_that_comes_back():
    away = [httpx2.ConnectError("no one there")] * (3 * TRIES) + [
        said(status) for status in (502, 503) for _ in range(TRIES)
    ]
    counts = {"status": "running", "runs": {}}
    server = Scripted(said(200, counts), *away, said(200, counts | {"status": "succeeded"}))
    told = []
    assert server.client.wait("x", on_silence=told.append)["status"] == "succeeded"
    assert [sentence.endswith(" is back.") for sentence in told] == [False, True]
    assert "does not answer" in told[0]


def test_waiting_ends_where_nobody_ever_answered_or_the_experiment_is_gone():
    server = Scripted(httpx2.ConnectError("no one there"))
    with pytest.raises(ServerUnreachable):
        server.client.wait("x")
    server = Scripted(said(200, {"status": "running"}), said(404, {"status": 404, "detail": "gone"}))
    with pytest.raises(ServerSaidNo, match="gone"):
        server.client.wait("x")


def test_numbers_of_libraries_are_sent_as_numbers():
    server = Scripted(said(202, {"id": "e"}))
    sweep = [{"seed": np.arange(2)}, {"init.std": pd.Series([0.1, 0.2], dtype="float32")}]
    server.client.submit({"run": {"init": {"balanced": np.bool_(True), "std": np.float32(1e-3)}}, "sweep": sweep})
    sent = json.loads(server.requests[0].content)
    assert sent["run"] == {"init": {"balanced": True, "std": 1e-3}}
    assert sent["sweep"] == [{"seed": [0, 1]}, {"init.std": [0.1, 0.2]}]
    server.client.extend("x", max_steps=np.int64(5))
    assert server.requests[1].content == b'{"max_steps":5}'
    server.client.trajectory("x", max_points=np.int32(7), metrics="loss")
    assert dict(server.requests[2].url.params) == {"max_points": "7", "metrics": "loss"}


def test_what_json_cannot_carry_is_not_sent():
    server = Scripted(said(202, {"id": "e"}))
    with pytest.raises(NotJson, match=r"/run/stop/loss_below.*not finite"):
        server.client.submit({"run": {"stop": {"loss_below": np.float64("inf")}}})
    assert server.requests == []


def test_it_imports_nothing_heavy():
    heavy = ("torch", "pyarrow", "numpy", "pandas", "sqlalchemy", "fastapi", "pydantic", "rich", "dask")
    code = f"import sys, service.client.api; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("ids", [1, 200])
def test_a_long_query_goes_into_a_body(ids, tmp_path):
    where = f"id IN ({', '.join(repr(f'{number:036x}') for number in range(ids))})"
    pages = [said(200, {"items": [{"id": "a"}], "next": "c"}), said(200, {"items": [{"id": "b"}], "next": None})]
    server = Scripted(*pages)
    assert [run["id"] for run in server.client.runs(where=where)] == ["a", "b"]
    server.answers = [said(200, {"x": 1})]
    server.client.export("trajectories", "json", tmp_path / "points", where=where, max_points=np.int64(5))
    first, second, points = server.requests
    if ids == 1:
        assert {request.method for request in server.requests} == {"GET"}
        assert first.url.params["where"] == where
    else:
        assert [request.method for request in server.requests] == ["POST"] * 3
        assert [request.url.path for request in (first, points)] == ["/v1/runs/query", "/v1/trajectories/query"]
        assert json.loads(first.content) == {"where": where, "limit": 1000}
        assert json.loads(second.content) == {"where": where, "limit": 1000, "cursor": "c"}
        assert json.loads(points.content) == {"format": "json", "where": where, "max_points": 5}
        assert not any(request.url.query for request in server.requests)


def test_a_change_is_a_patch_in_which_none_removes():
    server = Scripted(said(200))
    server.client.change("x", tags={"a": np.str_("1"), "b": None}, priority=np.int64(2))
    (request,) = server.requests
    assert (request.method, request.url.path) == ("PATCH", "/v1/experiments/x")
    assert json.loads(request.content) == {"tags": {"a": "1", "b": None}, "priority": 2}


def test_another_try_of_an_experiment():
    server = Scripted(said(202))
    server.client.retry_experiment("x")
    assert (server.requests[0].method, server.requests[0].url.path) == ("POST", "/v1/experiments/x/retry")


def test_factors_are_asked_for_as_they_stand_and_at_a_step():
    server = Scripted(httpx2.Response(200, content=b"now"), httpx2.Response(200, content=b"then"))
    assert (server.client.factors("x"), server.client.factors("x", step=20)) == (b"now", b"then")
    assert [request.url.raw_path for request in server.requests] == [
        b"/v1/runs/x/factors",
        b"/v1/runs/x/factors?step=20",
    ]
    server = Scripted(said(200, {"run_id": "x", "steps": [0, 20]}))
    assert server.client.factor_steps("x") == [0, 20]


def test_the_command_writes_factors_or_lists_their_steps(tmp_path, monkeypatch, capsys):
    server = Scripted(httpx2.Response(200, content=b"then"))
    monkeypatch.setattr("service.cli.factors.Rankward", lambda url, api_key: server.client)
    factors("x", step=20, output=tmp_path / "then.npz")
    assert (tmp_path / "then.npz").read_bytes() == b"then"
    assert "Wrote" in capsys.readouterr().out
    listing = Scripted(said(200, {"run_id": "x", "steps": [0, 20]}))
    monkeypatch.setattr("service.cli.factors.Rankward", lambda url, api_key: listing.client)
    factors("x", show=True)
    assert json.loads(capsys.readouterr().out) == [0, 20]
