"""The edge: media types, the Host header, pages of other sites, headers, request ids, documentation without a CDN."""

import json
import re

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from tests.helpers.specs import BASIC


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_that_says_it_is_something_else_than_json(api, media_type):
    answer = api.post("/v1/experiments", content=b"{}", headers={"content-type": media_type})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def test_a_body_that_says_nothing_is_read_as_json(api):
    answer = api.post("/v1/experiments?dry_run=true", content=json.dumps({"run": BASIC}))
    assert (answer.status_code, answer.json()["runs"]) == (200, 1)
    refused = api.post("/v1/experiments", content=b"not json")
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert "JSON" in refused.json()["errors"][0]["detail"]


def test_json_with_a_charset_is_json(api):
    headers = {"content-type": "application/json; charset=utf-8"}
    answer = api.post("/v1/experiments?dry_run=true", json={"run": BASIC}, headers=headers)
    assert (answer.status_code, answer.json()["runs"]) == (200, 1)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST", "127.0.0.2", "[0:0::1]"]
)
def test_the_loopbacks_names_are_answered(api, host):
    answer = api.get("/v1/runs", headers={"host": host})
    assert (answer.status_code, answer.json()["items"]) == (200, [])


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::2]:8000"])
def test_another_name_for_the_loopback_is_refused(api, host):
    answer = api.get("/v1/runs", headers={"host": host})
    assert answer.status_code == 421
    assert "RANKWARD_ALLOWED_HOSTS" in answer.json()["detail"]
    assert api.get("/livez", headers={"host": host}).status_code == 200


def test_configured_names_are_answered(database, settings):
    changed = settings.model_copy(update={"allowed_hosts": "lab.example, other.example"})
    with TestClient(create_app(changed), base_url="http://lab.example") as client:
        assert client.get("/v1/runs").status_code == 200
        assert client.get("/v1/runs", headers={"host": "third.example"}).status_code == 421


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_pages_of_other_sites_change_nothing(api, headers):
    answer = api.post("/v1/experiments", json={"run": BASIC}, headers=headers)
    assert answer.status_code == 403
    assert api.get("/v1/runs").json()["items"] == []


def test_the_servers_own_pages_may(api):
    own = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
    posted = api.post("/v1/experiments", json={"run": BASIC}, headers=own)
    assert posted.status_code == 202
    (run,) = api.get("/v1/runs").json()["items"]
    assert run["experiment_id"] == posted.json()["id"]


def test_no_other_origin_may_read(api):
    answer = api.get("/v1/runs", headers={"origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    asked = api.options("/v1/runs", headers={"origin": "https://x.example", "access-control-request-method": "POST"})
    assert "access-control-allow-origin" not in asked.headers


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/runs/none", "/nothing", "/docs"])
def test_headers_that_browsers_heed(api, path):
    headers = api.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_a_request_has_an_id(api):
    assert api.get("/v1/runs", headers={"X-Request-ID": "mine-1"}).headers["x-request-id"] == "mine-1"
    ids = {api.get("/v1/runs", headers={"X-Request-ID": bad}).headers["x-request-id"] for bad in ("", "a b", "x" * 200)}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f-]{36}", one) for one in ids)


@pytest.mark.slow
def test_an_unexpected_error_is_a_problem_with_an_id(api, monkeypatch, capsys):
    def break_down(*_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("service.use_cases.runs.list_runs", break_down)
    answer = api.get("/v1/runs", headers={"X-Request-ID": "mine-2"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "mine-2"
    assert "secret" not in answer.text


def test_the_documentation_asks_no_other_server(api):
    page = api.get("/docs")
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(linked) == 4
    assert not [link for link in linked if "//" in link]
    assert "<script>" not in page.text
    for link in linked:
        assert link.startswith("data:") or api.get(link).status_code == 200
    assert "openapi.json" in api.get("/docs/start.js").text
