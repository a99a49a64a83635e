"""The pages as HTML: what stands on them, what is escaped, what is refused. tests/browser drives them."""

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from service.store.tables import runs
from service.web.rendering import POLICY
from tests.helpers.specs import BASIC
from tests.web.posts import FOUR, posted
from workers.runs.metrics import BY_NAME, METRICS

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


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
        "/presets",
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


def test_the_page_of_a_run_says_how_each_metric_is_drawn(api, finish):
    finish({"run": BASIC | {"record": {"metrics": ["determinant", "sharpness"]}}})
    run = api.get("/v1/runs").json()["items"][0]
    text = api.get(f"/runs/{run['id']}").text
    options = re.findall(r'<option value="(\w+)" data-scale="(log|linear)"( data-magnitude)?>', text)
    singles = {name for name in run["summary"] if METRICS.get(name) in ("float", "integer")}
    assert [name for name, _, _ in options][:2] == ["unobserved_entry", "loss"]
    assert {name: scale for name, scale, _ in options} == {name: BY_NAME[name].axis.page_scale for name in singles}
    assert [name for name, _, magnitude in options if magnitude] == ["unobserved_entry"]


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
