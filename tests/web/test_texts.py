"""Texts of people on every page: they stand there as data, isolated, and nothing comes of them."""

import re
from urllib.parse import urljoin

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from markupsafe import escape

from service.store.tables import runs
from service.values.visible import visible
from service.web.spec_text import from_text
from service.web.texts import plain_name, typed
from tests.helpers.html import kept, parsed
from tests.helpers.specs import BASIC
from tests.helpers.texts import HOSTILE, texts
from tests.web.posts import FOUR

pytestmark = pytest.mark.slow

HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066\u2067\ufeff]")
"""What turns a line around, ends it, or is not seen at all; U+2068 and U+2069 isolate names in titles."""
A_MISTAKE = "name = 'x' ANDD "


@pytest.fixture
def site(api, finish, database):
    """An experiment whose every text can be changed, and the pages that show one."""
    public_id = finish({"name": "plain", "tags": {"k": "v"}, "run": BASIC, "sweep": [{"seed": [0, 1]}]})["id"]
    run = api.get("/v1/runs").json()["items"][0]["id"]

    def pages(text):
        tag = {f"k{text[:99]}": text[:500]}
        api.patch(f"/v1/experiments/{public_id}", json={"tags": None})
        changed = api.patch(f"/v1/experiments/{public_id}", json={"name": text[:200], "tags": tag})
        assert changed.status_code == 200, changed.text
        with database.writing() as connection:
            failed = {"status": "failed", "error": f"e{text}"}
            connection.execute(sa.update(runs).where(runs.c.public_id == run).values(failed))
        asked = {
            "list": "/",
            "experiment": f"/experiments/{public_id}",
            "run": f"/runs/{run}",
            "delete": f"/experiments/{public_id}/delete",
            "compare": f"/compare?experiment={public_id}",
            "groups": f"/experiments/{public_id}/groups?group_by=error",
            "new": f"/new?experiment={public_id}",
        }
        found = {name: api.get(path) for name, path in asked.items()}
        for name, path in (("wrong list", "/"), ("wrong experiment", f"/experiments/{public_id}")):
            found[name] = api.get(path, params={"where": A_MISTAKE + text, "order_by": "x" + text, "cursor": text})
        wrong = {"metric": "x" + text, "group_by": text, "where": text}
        found["wrong groups"] = api.get(f"/experiments/{public_id}/groups", params=wrong)
        found["wrong spec"] = api.post("/new", data={"spec": f"[{text}", "act": "check", "key": text})
        found["nowhere"] = api.get("/experiments/-", params={"where": text}, headers={"Accept": "text/html"})
        assert {answer.status_code for name, answer in found.items() if name != "nowhere"} == {200}, found
        return {name: parsed(answer.text) for name, answer in found.items()}

    return pages


def exact(text):
    return re.sub("\r\n|\r|\n", " ", text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(text=texts(400))
@example(HOSTILE[0] + HOSTILE[1] + HOSTILE[5])
@example(HOSTILE[7] + HOSTILE[8])
@example(HOSTILE[8] + HOSTILE[9])
@example(HOSTILE[14][:400])
@example(HOSTILE[12])
def test_a_text_is_data_on_every_page(site, text):
    plain, found = site("plain"), site(text)
    form = found.pop("wrong spec")  # which shows a mistake or none, and the text that was sent
    assert set(form.skeleton()) <= {line for one in plain.values() for line in one.skeleton()}
    for name, page in found.items():
        assert not text or page.skeleton() == plain[name].skeleton(), name
        assert not HIDDEN.search(page.text), name
    shown_name = parsed(str(typed(text[:200]))).text if text else "unnamed"
    for name in ("list", "delete", "compare", "run", "groups"):
        assert shown_name in [one.text for one in found[name].all("a") + found[name].all("span")], name
    assert found["experiment"].all("h1")[0].text == (shown_name if text else "Unnamed experiment")
    title = parsed(str(escape(plain_name(text[:200], "Unnamed experiment")))).text
    assert found["experiment"].all("title")[0].text == f"{title} · Rankward"
    tag = [one.text for one in found["list"].all("span", **{"class": "tag"})[0].all("bdi")]
    assert tag[0] == visible(f"k{text[:99]}")
    assert tag[1] == parsed(str(typed(text[:500]))).text
    assert kept(found["run"].all("pre")[0].text) == "\n".join(
        map(visible, re.sub("\r\n", "\n", f"e{text}").split("\n"))
    )
    fields = {one.attributes["name"]: one.attributes["value"] for one in found["wrong list"].all("input")}
    assert (fields["where"], fields["order_by"]) == (exact(A_MISTAKE + text), exact("x" + text))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(text=texts(200))
@example(HOSTILE[5])
@example(HOSTILE[8])
def test_what_stands_in_the_form_is_what_was_named(site, api, text):
    page = site(text)["new"]
    spec = kept(page.all("textarea")[0].text)
    assert not HIDDEN.search(spec)
    content = from_text(spec)
    assert content.get("name", "") == text
    assert content["tags"] == {f"k{text[:99]}": text[:500]}
    assert content["run"] == BASIC


ALWAYS_THE_SAME: set[str] = set()
"""Targets that were followed from the pages of another text, whose answers depend on none."""


@pytest.mark.parametrize("text", HOSTILE)
def test_every_link_of_every_page_leads_somewhere(api, finish, text):
    named = FOUR | {"name": text[:200], "tags": {f"k{text[:99]}": text[:500]}}
    found = finish(named)["id"]
    run = api.get("/v1/runs", params={"experiment_id": found}).json()["items"][0]["id"]
    where = f"tags.\"a\" = '{text.replace(chr(39), 2 * chr(39))}' OR index >= 0"
    pages = [("/", {"where": f"runs.total = 4 OR name = '{text.replace(chr(39), 2 * chr(39))}'"})]
    pages += [(f"/experiments/{found}", {"where": where, "order_by": "-seed"})]
    pages += [(f"/runs/{run}", {}), (f"/compare?experiment={found}", {}), (f"/experiments/{found}/delete", {})]
    asked = set()
    for path, query in pages:
        answer = api.get(path, params=query or None)
        assert answer.status_code == 200
        page = parsed(answer.text)
        assert not page.all("div", role="alert"), answer.text
        links = {one.attributes[name] for tag, name in (("a", "href"), ("link", "href")) for one in page.all(tag)}
        targets = {urljoin(path, link) for link in links if not (link or "").startswith("#")}
        assert len(targets) > 5
        for target in targets - asked - ALWAYS_THE_SAME:
            assert api.get(target).status_code == 200, target
        asked |= targets
    ALWAYS_THE_SAME.update(target for target in asked if target.startswith("/static/"))


def test_groups_by_tags_keep_their_underscores_and_capitals(api, finish):
    public_id = finish(FOUR | {"tags": {"my_Tag": "some_Text"}})["id"]
    page = parsed(api.get(f"/experiments/{public_id}/groups?group_by=tags.my_Tag").text)
    assert page.all("thead")[0].all("th")[0].text == "my_Tag"
    assert page.all("tbody")[0].all("th")[0].text == "some_Text"


def test_a_name_of_blanks_can_be_seen_and_one_from_right_to_left_is_isolated():
    assert str(typed(" \u3164")) == r"<bdi>\u0020\u3164</bdi>"
    assert str(typed("a b")) == "<bdi>a b</bdi>"
    assert str(plain_name("\u05d0<")) == "\u2068\u05d0&lt;\u2069"
    assert plain_name("a\u202e") == r"a\u202e"
    assert plain_name("", "none") == "none"
