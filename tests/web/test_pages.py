"""The pages as HTML: what stands on them, what is escaped, what is refused. tests/browser drives them."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from starlette.requests import Request

from service.app import create_app
from service.errors import InvalidPayload
from service.routes.dependencies import presented_key
from service.store.tables import runs
from service.use_cases.keys import create_key
from service.web.rendering import POLICY
from service.web.spec_text import abridged, from_text, to_yaml
from tests.specs import BASIC

FOUR = {"name": "four", "tags": {"paper": "2005.06398"}, "run": BASIC, "sweep": [{"seed": [0, 1, 2, 3]}]}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def posted(api, experiment=FOUR):
    return api.post("/v1/experiments", json=experiment).json()


def rows(text):
    return re.findall(r'href="/runs/[^"]+" aria-label="Run (\d+)"', text)


def test_an_empty_service_says_how_to_begin(api):
    answer = api.get("/")
    assert answer.status_code == 200
    assert "Nothing has been run here yet" in answer.text
    assert 'href="/new' in answer.text


def test_every_page_forbids_what_it_does_not_need_and_asks_nobody_else(api, finish):
    experiment = finish(FOUR)
    run = api.get("/v1/runs").json()["items"][0]["id"]
    for path in (
        "/",
        f"/experiments/{experiment['id']}",
        f"/experiments/{experiment['id']}/groups",
        f"/experiments/{experiment['id']}/delete",
        f"/runs/{run}",
        f"/compare?experiment={experiment['id']}",
        "/new",
        "/experiments/none",
    ):
        answer = api.get(path)
        assert answer.headers["content-security-policy"] == POLICY
        assert "unsafe-inline" not in re.sub(r"style-src-attr [^;]+", "", POLICY)
        assert "unsafe-eval" not in POLICY
        assert not re.search(r"""(src|href|action)=["']?(https?:)?//""", answer.text)
        assert not re.search(r"<script(?![^>]* src=)", answer.text)
        assert not re.search(r"<[^>]+ on\w+=", answer.text)


def test_names_and_tags_are_text_whatever_they_say(api):
    experiment = posted(api, FOUR | {"name": HOSTILE, "tags": {HOSTILE[:90]: HOSTILE}})
    where = {"where": f"name = '{HOSTILE}", "order_by": HOSTILE}
    for path in ("/", f"/experiments/{experiment['id']}", "/compare", f"/new?experiment={experiment['id']}"):
        text = api.get(path, params=where if "?" not in path else None).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    assert "&lt;script&gt;alert(1)" in api.get(f"/experiments/{experiment['id']}").text


def test_what_is_not_there_is_a_page_on_pages_and_a_problem_in_the_api(api):
    for path in ("/experiments/none", "/runs/none", "/nowhere"):
        answer = api.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert "<h1>" in answer.text
    for path in ("/v1/experiments/none", "/v1/nowhere"):
        answer = api.get(path, headers={"Accept": "text/html"})
        assert answer.headers["content-type"] == "application/problem+json"
    assert api.get("/nowhere").headers["content-type"] == "application/problem+json"


def test_a_wrong_filter_shows_its_place_and_is_kept(api):
    experiment = posted(api)
    answer = api.get(f"/experiments/{experiment['id']}", params={"where": "model.dept >= 3"})
    assert answer.status_code == 200
    assert 'value="model.dept &gt;= 3"' in answer.text
    assert "did you mean" in answer.text
    assert re.search(r"<pre>model\.dept &gt;= 3\n +\^</pre>", answer.text)
    assert 'aria-invalid="true"' in answer.text
    assert rows(answer.text) == []


def test_the_table_filters_sorts_and_says_how_it_is_sorted(api):
    path = f"/experiments/{posted(api)['id']}"
    assert rows(api.get(path).text) == ["0", "1", "2", "3"]
    assert rows(api.get(path, params={"where": "seed >= 2"}).text) == ["2", "3"]
    descending = api.get(path, params={"where": "seed >= 2", "order_by": "-seed"}).text
    assert rows(descending) == ["3", "2"]
    assert 'aria-sort="descending"' in descending
    assert "order_by=seed" in descending
    assert "No run is like that" in api.get(path, params={"where": "seed > 99"}).text
    assert "cursor is not one" in api.get(path, params={"cursor": "x"}).text


def test_ten_times_as_many_runs_make_no_longer_page(api):
    path = f"/experiments/{posted(api, FOUR | {'sweep': [{'seed': list(range(100))}]})['id']}"
    first = api.get(path).text
    assert len(rows(first)) == 50
    further = re.search(r'rel="next" href="([^"]+)"', first)
    assert further is not None
    second = api.get(further[1].replace("&amp;", "&")).text
    assert rows(first) + rows(second) == [str(index) for index in range(100)]
    assert 'rel="next"' not in second


def test_a_run_that_failed_shows_why_and_can_be_tried_again(api, database):
    posted(api)
    run = api.get("/v1/runs").json()["items"][0]
    with database.writing() as connection:
        failed = {"status": "failed", "error": "Boom <b>", "finished_at": datetime.now(UTC)}
        connection.execute(sa.update(runs).where(runs.c.public_id == run["id"]).values(failed))
    text = api.get(f"/runs/{run['id']}").text
    assert "Boom &lt;b&gt;" in text
    assert f'action="/runs/{run["id"]}/retry"' in text
    answer = api.post(f"/runs/{run['id']}/retry", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run['id']}")
    assert api.get(f"/v1/runs/{run['id']}").json()["status"] == "queued"


def test_cancel_and_delete_which_asks_first(api):
    path = f"/experiments/{posted(api)['id']}"
    assert f'action="{path}/cancel"' in api.get(path).text
    assert "cancelled" in api.post(f"{path}/cancel").text
    assert f'href="{path}/delete"' in api.get(path).text
    assert "cannot be undone" in api.get(f"{path}/delete").text
    assert api.get(path).status_code == 200
    assert api.post(f"{path}/delete").url.path == "/"
    assert api.get(path).status_code == 404


def test_extend_says_what_is_wrong_and_keeps_what_was_typed(api, finish):
    finish(FOUR | {"run": BASIC | {"stop": {"max_steps": 50}}, "sweep": []})
    run = api.get("/v1/runs").json()["items"][0]["id"]
    wrong = api.post(f"/runs/{run}/extend", data={"max_steps": "7", "loss_below": ""})
    assert "ask for more" in wrong.text
    assert 'value="7"' in wrong.text
    assert "not YAML" not in api.post(f"/runs/{run}/extend", data={"max_steps": "1e3"}).text
    assert api.get(f"/v1/runs/{run}").json()["spec"]["stop"]["max_steps"] == 1000
    assert 'role="alert"' in api.post(f"/runs/{run}/extend", data={"max_steps": "many"}).text
    assert 'role="alert"' in api.post(f"/runs/{run}/extend", data={}).text


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
def test_a_form_of_another_site_is_refused(api, headers):
    path = f"/experiments/{posted(api)['id']}"
    for act in (f"{path}/cancel", f"{path}/delete", "/new"):
        assert api.post(act, headers=headers).status_code == 403
    assert api.get(f"/v1{path}").json()["status"] == "queued"


def test_the_form_begins_with_a_preset_and_its_dry_run(api):
    text = api.get("/new?preset=figure_1").text
    assert "model.depth: [2, 2, 3, 3, 4, 4]" in text
    assert "<dt>Runs</dt><dd>60</dd>" in text
    assert api.get("/new?preset=none").status_code == 404


def test_what_the_form_says_of_a_preset_is_the_preset(api):
    for name in (preset["name"] for preset in api.get("/v1/presets").json()["items"]):
        shown = re.search(r"<textarea[^>]*>(.*?)</textarea>", api.get(f"/new?preset={name}").text, re.DOTALL)
        assert shown is not None
        assert from_text(unescape(shown[1])) == api.get(f"/v1/presets/{name}").json()


SPEC = """
name: from a form
run:
  problem: {kind: perturbed_2x2}
  model: {kind: deep_matrix, depth: 2}
  init: {kind: identity, scale: 1e-1}
  optimizer: {kind: gradient_descent, learning_rate: 1e-2}
  stop: {max_steps: 1e3}
"""


def test_submitting_twice_submits_once_and_what_was_changed_since_again(api):
    fields = {"spec": SPEC, "act": "submit", "key": "k"}
    first = api.post("/new", data=fields).url.path
    assert first.startswith("/experiments/")
    assert api.post("/new", data=fields).url.path == first
    assert api.post("/new", data=fields | {"spec": SPEC.replace("form", "page")}).url.path != first
    assert len(api.get("/v1/experiments").json()["items"]) == 2


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (SPEC.replace("depth: 2", "depth: 0"), "/run/model"),
        (SPEC.replace("depth: 2", "dept: 2"), "/run/model/dept"),
        ("run: {a: [1, 2}", "Line 1"),
        ("run: &a {b: 1}\nsweep: *a", "aliases"),
        ("run: {seed: 2026-01-01}", "Use numbers, texts"),
        ("", "object"),
        ("run: " + "[" * 3000 + "]" * 3000, "neither YAML nor JSON"),
    ],
)
def test_what_is_wrong_with_a_spec_is_said_and_the_text_kept(api, spec, said):
    answer = api.post("/new", data={"spec": spec, "act": "submit"})
    assert answer.status_code == 200
    assert said in answer.text
    assert "This cannot be submitted yet" in answer.text
    assert api.get("/v1/experiments").json()["items"] == []


def test_a_text_too_long_to_read_as_yaml_is_refused_unread():
    with pytest.raises(InvalidPayload, match="more than the 200,000"):
        from_text("x" * 300_000)


def test_a_long_list_is_shown_by_its_ends():
    shown = to_yaml(abridged({"seed": list(range(5000)), "few": [1, 2]}))
    assert shown.startswith("seed: [0, 1, 2,")
    assert "\u2026 4986 more \u2026, 4998, 4999]" in shown
    assert from_text(shown)["few"] == [1, 2]


def test_a_dry_run_stores_nothing(api):
    assert "<dt>Runs</dt><dd>1</dd>" in api.post("/new", data={"spec": SPEC, "act": "check"}).text
    assert api.get("/v1/experiments").json()["items"] == []


def test_edit_as_new_begins_with_what_was_posted(api):
    experiment = posted(api)
    assert "seed: [0, 1, 2, 3]" in api.get(f"/new?experiment={experiment['id']}").text
    run = api.get("/v1/runs").json()["items"][0]["id"]
    assert "<dt>Runs</dt><dd>1</dd>" in api.get(f"/new?run={run}").text


def test_groups_and_comparisons_are_summaries(api, finish):
    first, second = finish(FOUR), finish(FOUR | {"name": "other"})
    groups = api.get(f"/experiments/{first['id']}/groups?metric=loss&group_by=seed").text
    assert groups.count('<th scope="row">') == 4
    assert 'role="alert"' in api.get(f"/experiments/{first['id']}/groups?metric=lossy").text
    compared = api.get(f"/compare?experiment={first['id']}&experiment={second['id']}").text
    assert f"/v1/experiments/{first['id']}/figures/compare.json?with={second['id']}" in compared
    too_many = "&".join(f"experiment={number}" for number in range(9))
    assert "RANKWARD_MAX_EXPERIMENTS_PER_FIGURE" in api.get(f"/compare?{too_many}").text


def test_static_files_are_kept_for_good_under_addresses_of_their_content(api):
    address = re.search(r'href="(/static/\w+/base.css)"', api.get("/").text)
    assert address is not None
    answer = api.get(address[1])
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")
    assert api.get("/static/old/base.css").headers["cache-control"] == "no-store"
    assert api.get("/static/old/../../settings.py").status_code == 404


def test_plotly_comes_from_the_installed_package_compressed(api):
    address = re.search(r'name="plotly" content="([^"]+)"', api.get("/").text)
    assert address is not None
    answer = api.get(address[1], headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert int(answer.headers["content-length"]) < 2_000_000
    assert b"plotly.js" in answer.content[:300]


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


def test_the_key_of_a_request_is_that_of_its_header_or_else_of_its_cookie():
    def request(**headers):
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        return Request({"type": "http", "headers": pairs})

    assert presented_key(request()) is None
    assert presented_key(request(authorization="Bearer a", cookie="rankward_key=b")) == "a"
    assert presented_key(request(cookie="rankward_key=b")) == "b"
    assert presented_key(request(authorization="Basic x")) is None
