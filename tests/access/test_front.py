"""Behind a proxy: a path prefix, an origin of the proxy's, TLS that ends there, and who is believed about all this."""

import re

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from service.use_cases.keys import create_key
from tests.helpers.specs import BASIC

PREFIX = "/lab"
ORIGIN = "https://lab.example"
ATTRIBUTE = re.compile(r'\s(?:[a-z-]+)="(/[^"]*)"')


@pytest.fixture
def behind(database, settings):
    """Makes a client of an API with other settings; `client` is the address that its requests come from."""

    def make(base_url="http://localhost", client="127.0.0.1", **changes):
        changed = Settings.model_validate({**settings.model_dump(), **changes})
        return TestClient(create_app(changed), base_url=base_url, client=(client, 50000), follow_redirects=False)

    return make


def is_below(path):
    return path == PREFIX or path.startswith(f"{PREFIX}/")


@pytest.mark.slow
@pytest.mark.parametrize("removed", [True, False])
def test_every_address_on_every_page_is_below_the_prefix(behind, finish, removed):
    experiments = [finish({"run": BASIC, "sweep": [{"seed": [0, 1]}]}) for _ in range(2)]
    waiting = behind(root_path=PREFIX).post("/v1/experiments", json={"run": BASIC}).json()
    client = behind(root_path=PREFIX)
    reached = "" if removed else PREFIX
    ids = [one["id"] for one in (*experiments, waiting)]
    run = client.get(f"/v1/runs?experiment_id={ids[0]}").json()["items"][0]["id"]
    pages = ["/", "/new", "/docs", "/sign-in", "/nothing", f"/runs/{run}", f"/compare?experiment={ids[0]}"]
    pages += [f"/experiments/{ids[0]}", f"/experiments/{ids[0]}/delete", f"/experiments/{ids[2]}"]
    pages += [
        f"/experiments/{ids[0]}/groups?group_by=seed&metric=loss",
        f"/compare?experiment={ids[0]}&experiment={ids[1]}",
    ]
    seen = set()
    for page in pages:
        answer = client.get(reached + page, headers={"accept": "text/html"})
        addresses = [address for address in ATTRIBUTE.findall(answer.text) if not address.startswith("/>")]
        assert addresses, page
        assert [address for address in addresses if not is_below(address)] == [], page
        seen |= {address.partition("?")[0] for address in addresses}
    assert f"{PREFIX}/v1/experiments/{ids[2]}/events" in seen
    for address in sorted(seen):
        assert client.head(address.removeprefix(PREFIX) if removed else address).status_code in (200, 308, 405, 422)


def test_links_redirects_and_documents_are_below_the_prefix(behind):
    client = behind(root_path="lab/", public_origin=ORIGIN)
    posted = client.post("/lab/v1/experiments", json={"run": BASIC, "sweep": [{"seed": [0, 1]}]})
    assert is_below(posted.headers["location"])
    assert client.get(posted.headers["location"]).status_code == 200
    assert client.get("/lab/v1/runs?limit=1").headers["link"].startswith("</lab/v1/runs?")
    assert client.get("/lab/experiments").headers["location"] == "/lab/"
    figures = client.get(f"{posted.headers['location']}/figures").json()["items"]
    assert all(is_below(path) for figure in figures for path in figure["files"].values())
    assert [server["url"] for server in client.get("/lab/openapi.json").json()["servers"]] == ["/lab", f"{ORIGIN}/lab"]
    assert '"/lab/openapi.json"' in client.get("/lab/docs/start.js").text
    sent = client.post("/lab/new", data={"act": "submit", "spec": SPEC})
    assert (sent.status_code, is_below(sent.headers["location"])) == (303, True)


SPEC = """
run:
  problem: {kind: perturbed_2x2}
  model: {kind: deep_matrix, depth: 2}
  init: {kind: identity, scale: 0.1}
  optimizer: {kind: gradient_descent, learning_rate: 0.01}
  stop: {max_steps: 10}
"""


def test_a_path_that_only_begins_like_the_prefix_is_not_below_it(behind):
    client = behind(root_path=PREFIX)
    assert client.get("/labor").status_code == 404
    assert client.get("/lab").status_code == client.get("/lab/").status_code == 200


@pytest.mark.parametrize("path", ["/v1/runs/", "/v1/experiments/", "/livez/", "/docs/", "/new/", "/v1/runs//"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_slash_at_the_end_leads_nowhere_else(behind, path, scheme):
    answer = behind().get(path, headers={"X-Forwarded-Proto": scheme})
    assert answer.status_code == 200
    assert "location" not in answer.headers


def posted(client, **headers):
    return client.post("/v1/experiments?dry_run=true", json={"run": BASIC}, headers=headers).status_code


def test_pages_of_the_public_origin_may_send_forms(behind):
    assert posted(behind(), Host="127.0.0.1:8000", Origin=ORIGIN) == 403
    client = behind(public_origin=f"{ORIGIN}/")
    assert posted(client, Host="127.0.0.1:8000", Origin=ORIGIN) == 200
    assert posted(client, Host="lab.example", Origin=ORIGIN) == 200
    assert posted(client, Host="127.0.0.1:8000", Origin="http://127.0.0.1:8000") == 200
    for foreign in ("https://evil.example", "https://lab.example.evil.example", "http://lab.example", "null", ""):
        assert posted(client, Host="127.0.0.1:8000", Origin=foreign) == 403


@pytest.mark.parametrize(
    ("client", "trusted", "status"),
    [
        ("10.0.0.9", "", 403),
        ("10.0.0.9", "10.0.0.1", 403),
        ("10.0.0.9", "10.0.0.0/24", 200),
        ("::ffff:10.0.0.9", "10.0.0.9", 200),
        ("fd00::9", "10.0.0.9, fd00::/8", 200),
        ("testclient", "10.0.0.9", 403),
    ],
)
def test_the_forwarded_host_is_believed_from_trusted_proxies_alone(behind, client, trusted, status):
    asked = behind(client=client, trusted_proxies=trusted, allowed_hosts="lab.example")
    assert posted(asked, Origin=ORIGIN, **{"X-Forwarded-Host": "lab.example"}) == status


def test_no_forwarded_host_opens_the_loopback_to_a_name_of_theirs(behind):
    client = behind(trusted_proxies="127.0.0.1")
    assert posted(client, Host="evil.example", **{"X-Forwarded-Host": "localhost"}) == 421
    assert posted(client, Host="localhost", **{"X-Forwarded-Host": "evil.example"}) == 421
    assert posted(client, Host="localhost", **{"X-Forwarded-Host": "[::1].evil.example"}) == 400


@pytest.mark.parametrize(
    ("changes", "headers", "secure"),
    [
        ({}, {}, False),
        ({}, {"X-Forwarded-Proto": "https"}, False),
        ({"trusted_proxies": "127.0.0.1"}, {"X-Forwarded-Proto": "https"}, True),
        ({"trusted_proxies": "127.0.0.1"}, {"X-Forwarded-Proto": "https, http"}, True),
        ({"trusted_proxies": "127.0.0.1"}, {"X-Forwarded-Proto": "gopher"}, False),
        ({"public_origin": ORIGIN}, {}, True),
        ({"public_origin": ORIGIN}, {"Origin": ORIGIN}, True),
        ({"public_origin": ORIGIN}, {"Origin": "http://localhost"}, False),
        ({"allowed_hosts": "lab.example"}, {"Host": "lab.example", "Origin": ORIGIN}, True),
    ],
)
def test_the_cookie_is_secure_where_the_browser_speaks_tls(behind, database, changes, headers, secure):
    key = create_key(database, "lab", ["read"], {})
    client = behind(require_keys=True, root_path=PREFIX, **changes)
    form = {"key": key, "next": "/new"}
    answers = [client.post(f"/lab/sign-{way}", data=form, headers=headers) for way in ("in", "out")]
    for answer in answers:
        assert answer.status_code == 303
        assert ("Secure" in answer.headers["set-cookie"]) is secure
        assert "Path=/lab;" in f"{answer.headers['set-cookie']};"
    assert answers[0].headers["location"] == "/lab/new"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("root_path", "/a b"),
        ("root_path", "https://lab.example"),
        ("root_path", "/lab//x"),
        ("root_path", "/\u2603"),
        ("public_origin", "lab.example"),
        ("public_origin", "https://lab.example/lab"),
        ("public_origin", "https://"),
        ("public_origin", "ftp://lab.example"),
        ("trusted_proxies", "lab.example"),
        ("trusted_proxies", "10.0.0.0/33"),
        ("trusted_proxies", "*"),
    ],
)
def test_settings_that_say_nothing_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Settings(**{name: value})


@pytest.mark.parametrize(("given", "kept"), [("", ""), ("/", ""), ("lab", "/lab"), ("/lab/", "/lab"), ("/a/b", "/a/b")])
def test_a_root_path_begins_with_a_slash_and_ends_with_none(given, kept):
    assert Settings(root_path=given).root_path == kept
