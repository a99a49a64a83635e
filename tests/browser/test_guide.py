"""The guide in a browser: its scripts run under its policy, nothing is asked elsewhere, axe finds no serious fault."""

import pytest

from tests.browser.looks import BOTH_LOOKS, check_look, take_look
from tests.helpers.api_server import serving
from tests.helpers.guide import build_guide, guide_from

SCHEMES = {"light": "default", "dark": "slate"}
PAGES = ("index.html", "field.html", "gallery.html", "reference.html", "metrics.html", "presets/figure_1.html")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guide")
    build_guide(folder)
    return folder


@pytest.fixture
def open_guide(browser, settings, address):
    complaints, contexts = [], []
    with guide_from(address), serving(settings) as (host, port):
        origin = f"http://{host}:{port}/"

        def opened(name, scheme, width):
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
            contexts.append(context)
            page = context.new_page()
            page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda asked: complaints.append(asked.url) if not is_ours(asked.url, origin) else None)
            page.goto(f"{origin}guide/{name}")
            return page

        yield opened
        for context in contexts:
            context.close()
    assert complaints == []


def is_ours(url, origin):
    return url.startswith((origin, "data:", f"blob:{origin}"))


@BOTH_LOOKS
@pytest.mark.parametrize("name", PAGES)
def test_no_serious_fault(open_guide, name, looks):
    page = open_guide(name, *looks[0])
    for look in looks:
        take_look(page, look)
        page.evaluate("localStorage.clear()")  # the guide keeps the scheme in which it was first opened
        page.reload()
        assert page.locator("body").get_attribute("data-md-color-scheme") == SCHEMES[look[0]]
        check_look(page)


def test_words_are_searched_for(open_guide):
    page = open_guide("index.html", "light", 1280)
    page.locator(".md-search__input").first.click()
    page.keyboard.type("weight decay")
    page.locator(".md-search-result__link").first.wait_for(timeout=60_000)
