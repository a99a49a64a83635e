"""The guide at /guide: built from the documents without a broken link, and safe to show."""

import re

import pytest

from service.presets import all_presets
from service.web.guide import pages
from tests.helpers.guide import build_guide, guide_from

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guide")
    build_guide(folder)
    return folder


@pytest.fixture
def built(folder):
    with guide_from(folder):
        yield folder


def html_pages():
    return [name for name in pages() if name.endswith(".html")]


def test_every_preset_and_every_document_has_a_page(built):
    assert {f"presets/{name}.html" for name in all_presets()} <= set(html_pages())
    assert {"index.html", "reference.html", "field.html", "decisions/0001-dask-behind-futures.html"} <= set(
        html_pages()
    )


def test_every_call_is_in_the_reference(built, api):
    text = (built / "reference.html").read_text()
    for path, calls in api.get("/openapi.json").json()["paths"].items():
        for method in calls:
            assert f"<code>{method.upper()} {path}</code>" in text


def test_pages_run_their_scripts_only_and_ask_nobody_else(built, api):
    for name in html_pages():
        answer = api.get(f"/guide/{name}")
        scripts = set(re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL))
        policy = answer.headers["content-security-policy"]
        assert policy.count("'sha256-") == len(scripts)
        assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "")
        assert not re.search(r"""<(script|link|img)[^>]* (src|href)=["']?(https?:)?//""", answer.text)


def test_files_have_their_types(built, api):
    assert api.get("/guide", follow_redirects=False).headers["location"] == "/guide/index.html"
    assert api.get("/guide/stylesheets/guide.css").headers["content-type"].startswith("text/css")
    assert api.get("/guide/presets/figure_1.light.png").headers["content-type"] == "image/png"


@pytest.mark.parametrize("name", ["none.html", "..%2Fguide.py", "%2e%2e/guide.py", "/etc/passwd"])
def test_nothing_else_is_shown(built, api, name):
    answer = api.get(f"/guide/{name}")
    assert answer.status_code == 404


def test_a_service_without_a_guide_says_how_to_build_it(tmp_path, api):
    with guide_from(tmp_path / "nothing"):
        assert "make docs" in api.get("/guide/index.html").json()["detail"]
        assert "/guide/" not in api.get("/").text


def test_pages_lead_to_a_guide_that_is_built(built, api):
    assert 'href="/guide/index.html"' in api.get("/").text
