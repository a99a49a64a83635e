"""Keys at every route of the OpenAPI document, and what a key may do."""

import hashlib

import pytest
import sqlalchemy as sa

from service.app import create_app
from service.settings import Settings
from service.store.tables import api_keys
from service.use_cases import keys
from tests.helpers.specs import BASIC

OPEN = ("/livez", "/readyz")
TOO_SMALL = {"post": "read", "put": "read", "patch": "read", "delete": "submit"}


def operations():
    document = create_app(Settings(database_url="sqlite://")).openapi()
    found = [(method, path, what) for path, item in document["paths"].items() for method, what in item.items()]
    return [pytest.param(*one, id=f"{one[0]} {one[1]}") for one in found if one[1] not in OPEN]


def refused(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["status"] == status


@pytest.mark.parametrize(("method", "path", "operation"), operations())
def test_every_operation_asks_for_a_key_with_its_scope(guarded, database, key, bearer, method, path, operation):
    assert operation["security"] == [{"api_key": []}]
    assert {"401", "403", "429"} <= set(operation["responses"])
    call = getattr(guarded, method)
    refused(call(path), 401)
    refused(call(path, headers={"Authorization": "Bearer rw_wrong"}), 401)
    refused(call(path, headers={"Authorization": "Basic cnc6"}), 401)
    revoked = key("admin")
    keys.revoke_key(database, revoked)
    refused(call(path, headers={"Authorization": f"Bearer {revoked}"}), 401)
    reads = method == "get" or path.endswith("/query")
    too_small = call(path, headers=bearer("submit" if reads else TOO_SMALL[method]))
    refused(too_small, 403)
    assert 'error="insufficient_scope"' in too_small.headers["www-authenticate"]
    assert call(path, headers=bearer("admin")).status_code not in (401, 403)


def test_the_document_declares_how_to_send_a_key(guarded):
    document = guarded.get("/openapi.json").json()
    scheme = document["components"]["securitySchemes"]["api_key"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert all("security" not in document["paths"][path]["get"] for path in OPEN)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/livez", '{"status":"ok"}'),
        ("/readyz?require=database", '"dispatcher":"never seen"'),
        ("/docs", "swagger-ui"),
        ("/openapi.json", '"openapi"'),
    ],
)
def test_probes_and_documentation_are_open(guarded, path, said):
    answer = guarded.get(path)
    assert answer.status_code == 200
    assert said in answer.text


def test_a_key_is_stored_as_a_digest_and_listed_by_its_prefix(database, key):
    token = key("read", max_unfinished_runs=5)
    with database.reading() as connection:
        row = connection.execute(sa.select(api_keys)).mappings().one()
    assert row["digest"] == hashlib.sha256(token.encode()).hexdigest()
    assert token not in str(dict(row))
    (listed,) = keys.list_keys(database)
    assert (listed["prefix"], listed["scopes"], listed["max_unfinished_runs"]) == (token[:11], ["read"], 5)
    assert "digest" not in listed


def test_a_key_with_both_scopes_submits_reads_and_cancels(guarded, bearer):
    headers = bearer("read", "submit")
    posted = guarded.post("/v1/experiments", json={"run": BASIC}, headers=headers)
    assert posted.status_code == 202
    assert guarded.get(posted.headers["location"], headers=headers).json()["runs"]["total"] == 1
    assert guarded.post(posted.headers["location"] + "/cancel", headers=headers).status_code == 202
    assert guarded.delete(posted.headers["location"], headers=headers).status_code == 403
    assert guarded.delete(posted.headers["location"], headers=bearer("admin")).status_code == 204


def test_a_body_without_a_key_is_not_read(guarded):
    def never():
        raise AssertionError("the body was read")
        yield b""

    refused(guarded.post("/v1/experiments", content=never()), 401)


def test_a_connection_from_outside_needs_a_key_whatever_the_settings_say(database, settings):
    from fastapi.testclient import TestClient

    with TestClient(create_app(settings), base_url="http://192.0.2.7") as client:
        refused(client.get("/v1/runs"), 401)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        assert client.get("/v1/runs").json()["items"] == []
