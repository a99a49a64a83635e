"""Clients that are slow, or too many, or in the middle of a request when the server ends."""

import asyncio
import json
import resource
import socket
import time

import pytest

from service.edge.deadlines import Gate, Patience, most_connections
from service.processes.open_files import raise_open_files
from service.settings import Settings
from tests.helpers.api_server import received, serving
from tests.helpers.logs import said

pytestmark = pytest.mark.processes

IMPATIENT = Patience(head=0.3, body=0.3, bytes_per_second=1000)
HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000\r\n\r\n"


@pytest.fixture
def quick(database, settings):
    with serving(settings, IMPATIENT) as address:
        yield address


def exchange(address, *parts, pause=0.0):
    """What comes back on a connection, and after how many seconds it is closed."""
    begun = time.monotonic()
    with socket.create_connection(address, timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        return received(connection), time.monotonic() - begun


CHUNKED = BODY.replace(b"Content-Length: 3000", b"Transfer-Encoding: chunked")


@pytest.mark.parametrize("part", [HEAD, HEAD[:10], BODY, BODY + b"{", CHUNKED, CHUNKED + b"1\r\n{"])
def test_half_a_request_is_answered_in_time(quick, part):
    answer, seconds = exchange(quick, part)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["type"] == "urn:rankward:too-slow"
    assert seconds < 10


@pytest.mark.parametrize("part", [b"", b"\r\n"])
def test_whoever_asks_nothing_is_left(quick, part):
    answer, seconds = exchange(quick, part)
    assert answer == b""
    assert seconds < 10


def test_a_byte_now_and_then_is_not_enough(quick):
    with socket.create_connection(quick, timeout=20) as connection:
        assert sends_for(connection, seconds=10) < 5


def sends_for(connection, seconds):
    """How long the other end takes single bytes."""
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < seconds:
        try:
            connection.sendall(b"x")
        except OSError:
            break
        time.sleep(0.1)
    return waited


def test_a_large_body_has_longer_and_an_answer_under_way_has_no_deadline(quick):
    spec = json.dumps({"run": {}, "name": "x" * 4000}).encode()
    pieces = [spec[i : i + 500] for i in range(0, len(spec), 500)]
    head = (
        f"POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(spec)}\r\n\r\n"
    )
    answer, seconds = exchange(quick, head.encode(), *pieces, pause=0.2)
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert seconds > IMPATIENT.body


def test_a_kept_connection_is_good_for_many_requests(quick):
    with socket.create_connection(quick, timeout=20) as connection:
        for _ in range(4):
            connection.sendall(HEAD + b"\r\n")
            answer = b""
            while b'{"status":"ok"}' not in answer:  # head and body may come one after the other
                more = connection.recv(65536)
                assert more, answer
                answer += more
            time.sleep(0.2)


def test_too_many_connections_are_refused_and_said(database, settings, capsys):
    with serving(settings, most_connections=20) as address:
        idle = [socket.create_connection(address) for _ in range(20)]
        answers = [exchange(address)[0] for _ in range(5)]
        assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)
        for connection in idle:
            connection.close()
        time.sleep(0.3)
        assert exchange(address, HEAD + b"Connection: close\r\n\r\n")[0].startswith(b"HTTP/1.1 200 ")
    said = capsys.readouterr().out
    assert said.count("connections were refused") == 1


def test_refusals_within_seconds_share_a_line(monkeypatch, capsys):
    clock = iter([0.0, 1.0, 2.0, 11.0])
    monkeypatch.setattr("service.edge.deadlines.time.monotonic", lambda: next(clock))
    gate = Gate(1)
    assert gate.lets_in(1)
    assert not any(gate.lets_in(2) for _ in range(4))
    lines = [line for line in capsys.readouterr().out.splitlines() if "refused" in line]
    assert len(lines) == 2


@pytest.mark.parametrize("part", [BODY, BODY + b"{"])
def test_half_sent_bodies_at_the_end_are_a_line_and_no_traceback(database, settings, capfd, part):
    with said() as lines, serving(settings, seconds_to_finish=10) as address:
        connections = [socket.create_connection(address, timeout=20) for _ in range(3)]
        for connection in connections:
            connection.sendall(part)
        time.sleep(0.3)
        begun = time.monotonic()
    assert time.monotonic() - begun < 8
    for connection in connections:
        assert received(connection).startswith(b"HTTP/1.1 408 ")
        connection.close()
    shown = "\n".join([*capfd.readouterr(), *lines])
    assert "Traceback" not in shown
    assert "Cancel" not in shown
    assert len([line for line in shown.splitlines() if "request" in line and "499" in line]) == 3


def test_a_request_that_outlasts_the_server_is_a_line_and_an_answer(database, settings, capfd, monkeypatch):
    async def dawdle(*_):
        await asyncio.sleep(60)

    monkeypatch.setattr("service.routes.dependencies.read_body", dawdle)
    with said() as lines, serving(settings, seconds_to_finish=1) as address:
        connection = socket.create_connection(address, timeout=20)
        connection.sendall(b"POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
        time.sleep(0.3)
    with connection:
        assert received(connection).startswith(b"HTTP/1.1 503 ")
    shown = "\n".join([*capfd.readouterr(), *lines])
    assert "Traceback" not in shown
    assert "cut off" in shown


def test_connections_leave_room_for_other_files():
    assert most_connections(Settings(max_connections=10), 100_000) == 10
    assert most_connections(Settings(), 1024) == 896
    assert most_connections(Settings(), 64) == 32


def test_the_limit_of_open_files_is_raised():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        raised = raise_open_files()
        assert raised > 256
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == raised
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
