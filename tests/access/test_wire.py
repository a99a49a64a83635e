"""What the HTTP parser refuses before any route is reached: problem documents all the same, on a real connection."""

import json
import socket
from urllib.parse import urlsplit

import httpx2
import pytest

from service.edge.protocol import MOST_HEAD_BYTES, MOST_URL_BYTES

HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"


def answer_to(server, request):
    """Status, headers and body of what comes back on a connection of its own, until the server closes it."""
    url = urlsplit(server.url)
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(request)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def problem_to(server, request, status):
    found, headers, body = answer_to(server, request)
    assert found == status
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert int(headers["content-length"]) == len(body)
    problem = json.loads(body)
    assert problem["status"] == status
    return problem


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"not http at all\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nno colon\r\n\r\n",
        HEAD + b"Content-Length: many\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /\u00e9 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
    ],
)
def test_what_is_not_http(server, request_bytes):
    assert "HTTP" in problem_to(server, request_bytes, 400)["detail"]


def test_a_url_that_is_too_long_says_how_long_it_may_be(server):
    longest = b"/v1/runs/".ljust(MOST_URL_BYTES, b"x")
    rest = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert answer_to(server, b"GET " + longest + rest)[0] == 404
    assert f"{MOST_URL_BYTES:,}" in problem_to(server, b"GET " + longest + b"x" + rest, 414)["detail"]


def test_headers_without_end_are_cut_off(server):
    part = b"X-Long: " + b"x" * MOST_HEAD_BYTES
    assert f"{MOST_HEAD_BYTES:,}" in problem_to(server, HEAD + part, 431)["detail"]


def test_a_long_body_is_no_head(server):
    body = {"run": {}, "name": "x" * 2 * MOST_HEAD_BYTES}
    with httpx2.Client(base_url=server.url) as client:
        assert client.post("/v1/experiments", json=body).status_code == 422
        assert client.get("/livez").status_code == 200
