"""What scripts add to what is read: times in the reader's zone, ids and commands to copy; and long names on a phone."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.helpers.specs import BASIC
from tests.helpers.texts import HOSTILE

ZONE = "Asia/Kolkata"
LONG = {"name": "long", "run": BASIC | {"stop": {"max_steps": 10**9}}}


@pytest.fixture
def reader(browser, server):
    """Opens a page as somebody in another zone reads it."""
    contexts = []

    def opened(path, **options):
        context = browser.new_context(timezone_id=ZONE, locale="en-US", **options)
        contexts.append(context)
        page = context.new_page()
        page.goto(server.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()


def written(experiment, zone):
    created = datetime.fromisoformat(experiment["created_at"]).astimezone(ZoneInfo(zone))
    return f"{created:%-d %b %Y, %H:%M}"


def test_times_are_in_the_reader_s_zone_with_utc_in_the_tooltip(reader, finished):
    time = reader(f"/experiments/{finished['id']}").locator(".byline time")
    expect(time).to_have_text(written(finished, ZONE))
    title = time.get_attribute("title") or ""
    assert title.endswith(" UTC")
    assert title[:16] == finished["created_at"][:16].replace("T", " ")


def test_times_without_scripts_say_that_they_are_in_utc(reader, finished):
    page = reader(f"/experiments/{finished['id']}", java_script_enabled=False)
    expect(page.locator(".byline time")).to_have_text(f"{written(finished, 'UTC')} UTC")
    assert page.locator(".copy:visible").count() == 0


def test_times_stay_in_the_reader_s_zone_when_a_page_is_refreshed(reader, server):
    experiment = server.client.submit(LONG)
    run = next(server.client.runs(experiment["id"]))
    page = reader(f"/runs/{run['id']}")
    expect(page.locator("#factors")).to_contain_text("npz", timeout=200_000)
    expect(page.locator("#standing time")).to_have_count(1)
    assert not re.search("UTC", page.locator("#standing").inner_text())
    server.client.cancel(experiment["id"])


def test_an_id_and_a_command_are_copied(reader, finished):
    page = reader(f"/experiments/{finished['id']}", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the id of the experiment").click()
    expect(page.locator("#announcement")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == finished["id"]
    page.get_by_role("button", name="Copy the id of run 0").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert page.get_by_role("link", name="Run 0", exact=True).get_attribute("href") == f"/runs/{copied}"
    page.get_by_text("As curl, Python, command line").click()
    page.get_by_role("button", name="Copy the lines of Python").click()
    assert page.evaluate("navigator.clipboard.readText()").startswith("from rankward import Rankward\n\nwith")


def test_an_id_is_copied_where_the_clipboard_is_kept_from_pages(reader, finished):
    page = reader(f"/experiments/{finished['id']}", permissions=["clipboard-read"])
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.get_by_role("button", name="Copy the id of the experiment").click()
    expect(page.locator("#announcement")).to_have_text("Copied")


@pytest.mark.parametrize("number", [0, 4, 5, 6, 8, 14])
def test_any_name_is_text_and_leaves_the_layout_alone(open_page, server, number):
    name = HOSTILE[number][:200]
    tags = {f"k{name[:99]}": name}
    named = server.client.submit({"name": name, "tags": tags, "run": BASIC | {"stop": {"max_steps": 1}}})
    server.client.wait(named["id"])
    run = next(server.client.runs(named["id"]))["id"]
    page = open_page("/", width=390)
    for path in ("/", f"/experiments/{named['id']}", f"/runs/{run}", "/compare", f"/experiments/{named['id']}/delete"):
        page.goto(server.url + path)
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
        assert page.locator("bdi :not(bdi)").count() == 0
