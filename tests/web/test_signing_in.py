"""Signing in with a key: where it is kept, what it opens, where it leads."""

import re
from html import unescape
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request

from service.app import create_app
from service.routes.dependencies import presented_key
from service.use_cases.keys import create_key
from tests.helpers.specs import BASIC


def test_where_no_keys_are_asked_for_signing_in_says_so(api):
    assert "asks for no keys" in api.get("/sign-in").text


@pytest.fixture
def guarded(settings, database):
    """A client of an API that asks for keys, and a key that may read and submit."""
    key = create_key(database, "lab", ["read", "submit"], {})
    app = create_app(settings.model_copy(update={"require_keys": True}))
    with TestClient(app, base_url="http://localhost") as client:
        yield client, key


def test_a_key_is_kept_where_no_script_and_no_other_site_gets_it(guarded):
    client, key = guarded
    away = client.get("/", follow_redirects=False)
    assert (away.status_code, away.headers["location"].partition("?")[0]) == (303, "/sign-in")
    wrong = client.post("/sign-in", data={"key": "bad", "next": "/new"})
    assert "set-cookie" not in wrong.headers
    right = client.post("/sign-in", data={"key": key, "next": "/new"}, follow_redirects=False)
    assert (right.status_code, right.headers["location"]) == (303, "/new")
    cookie = right.headers["set-cookie"]
    assert all(word in cookie for word in (f"rankward_key={key}", "HttpOnly", "SameSite=strict", "Path=/"))
    assert "Secure" not in cookie
    over_tls = client.post("https://localhost/sign-in", data={"key": key}, follow_redirects=False)
    assert "Secure" in over_tls.headers["set-cookie"]
    out = client.post("/sign-out", follow_redirects=False)
    assert 'rankward_key=""' in out.headers["set-cookie"]


def test_a_key_opens_the_pages_as_far_as_its_scopes_go(guarded):
    client, key = guarded
    client.post("/sign-in", data={"key": key, "next": "/"})
    assert client.get("/").status_code == 200
    assert client.get("/v1/runs").status_code == 200
    posted = client.post("/v1/experiments", json={"run": BASIC})
    assert posted.status_code == 202
    page = f"/experiments/{posted.json()['id']}"
    assert client.get(page).status_code == 200
    assert client.post(f"{page}/delete").status_code == 403
    assert client.get(page).status_code == 200
    assert client.post(f"{page}/cancel", headers={"Origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_signing_in_leads_to_a_page_of_this_server(guarded, target):
    client, key = guarded
    answer = client.post("/sign-in", data={"key": key, "next": target}, follow_redirects=False)
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "address",
    [
        "/compare?experiment=A&experiment=B",
        "/?where=status+%3D+%27failed%27&order_by=-created_at",
        "/new?preset=first_look",
        "/experiments/x%20y/groups?group_by=model.depth&metric=loss",
        "/runs/\u2603?a=%E2%98%83",
    ],
)
def test_signing_in_leads_to_the_whole_address(guarded, address):
    client, key = guarded
    away = client.get(address, headers={"Accept": "text/html"}, follow_redirects=False)
    assert away.status_code == 303
    form = client.get(away.headers["location"]).text
    target = unescape(re.search(r'name="next" value="([^"]*)"', form)[1])
    back = client.post("/sign-in", data={"key": key, "next": target}, follow_redirects=False)
    wanted, given = (urlsplit(str(client.base_url.join(url))) for url in (address, back.headers["location"]))
    assert (unquote(given.path), parse_qsl(given.query)) == (unquote(wanted.path), parse_qsl(wanted.query))


@pytest.mark.parametrize(
    ("referer", "target"),
    [
        ("http://localhost/new?preset=first_look", "/new?preset=first_look"),
        ("http://localhost//evil.example/", "/"),
        ("http://[", "/"),
        ("", "/"),
    ],
)
def test_a_form_sent_while_signed_out_leads_back_to_its_page(guarded, referer, target):
    client, _ = guarded
    sent = client.post("/experiments/x/cancel", headers={"Referer": referer}, follow_redirects=False)
    asked = client.get(sent.headers["location"])
    assert f'name="next" value="{target}"' in asked.text


@pytest.mark.slow
@pytest.mark.parametrize("key", ["\u2603", "a\r\nSet-Cookie: b=c", "\x00", ";", "\U0001f600" * 1000, ""])
@pytest.mark.parametrize("next", ["/", "/\u2603?\u2603=1", "\u2603", "/\x00", "/\r\nX: y"])
def test_any_text_may_be_given_as_a_key(api, guarded, key, next):
    open_answer = api.post("/sign-in", data={"key": key, "next": next}, follow_redirects=False)
    assert open_answer.status_code == 303
    assert open_answer.headers["location"].startswith("/")
    assert "set-cookie" not in open_answer.headers
    refused = guarded[0].post("/sign-in", data={"key": key, "next": next}, follow_redirects=False)
    assert refused.status_code == 200
    assert "set-cookie" not in refused.headers


def test_the_key_of_a_request_is_that_of_its_header_or_else_of_its_cookie():
    def request(**headers):
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        return Request({"type": "http", "headers": pairs})

    assert presented_key(request()) is None
    assert presented_key(request(authorization="Bearer a", cookie="rankward_key=b")) == "a"
    assert presented_key(request(cookie="rankward_key=b")) == "b"
    assert presented_key(request(authorization="Basic x")) is None
