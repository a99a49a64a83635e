"""What a person does with the pages, in a browser."""

import re
import time

import pytest
from playwright.sync_api import expect

from tests.browser.looks import faults_of
from tests.helpers.specs import BASIC

PATIENCE = 200_000
LONG = {"name": "long", "run": BASIC | {"stop": {"max_steps": 10**9}}, "sweep": [{"seed": [0, 1]}]}


def column(page, label):
    """The texts of a column of the table of runs."""
    heads = [text.strip() for text in page.locator("#table thead th").all_inner_texts()]
    return page.locator(f"#table tbody tr > :nth-child({heads.index(label) + 1})").all_inner_texts()


def test_submit_a_preset_and_watch_it_move_without_a_reload(open_page):
    page = open_page("/")
    page.get_by_role("link", name="New experiment").click()
    page.get_by_role("link", name=re.compile("^First look")).click()
    expect(page.locator("#check")).to_contain_text("12")
    spec = page.get_by_label("Spec")
    shorter = spec.input_value().replace("max_steps: 2000000", "max_steps: 5000").replace("seed: 0", "engine: torch")
    spec.fill(shorter.replace("name: first look", "name: from the browser"))
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("from the browser")
    page.evaluate("window.notReloaded = true")
    expect(page.locator("#standing")).to_contain_text("succeeded 12", timeout=PATIENCE)
    expect(page.locator("#announcement")).to_have_text("All runs are over.")
    expect(page.locator("#table")).to_contain_text("budget exhausted")
    expect(page.locator(".plot svg.main-svg").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    assert page.evaluate("window.notReloaded")


@pytest.mark.parametrize("answer", ["late", 503])
def test_the_end_is_shown_though_it_came_during_a_refresh(browser, server, answer):
    """The first refresh is answered after all is over: with what was there before, or not at all."""
    long = {**BASIC, "stop": {"max_steps": 20_000}, "engine": "torch"}
    experiment = server.client.submit({"name": "late", "run": long})
    delayed = []

    def hold(route):
        if route.request.resource_type != "fetch" or delayed:
            return route.continue_()
        delayed.append(route.request.url)
        before = route.fetch()
        server.client.wait(experiment["id"])
        time.sleep(1)  # the last event is on its way
        return route.fulfill(response=before) if answer == "late" else route.fulfill(status=503)

    with browser.new_context() as context:
        page = context.new_page()
        page.route("**/experiments/*", hold)
        page.goto(f"{server.url}/experiments/{experiment['id']}")
        expect(page.locator("#standing")).to_contain_text("succeeded 1", timeout=60_000)
    assert delayed


def test_a_mistake_in_the_spec_is_said_while_it_is_typed(open_page):
    page = open_page("/new?preset=first_look")
    spec = page.get_by_label("Spec")
    good = spec.input_value()
    spec.fill(good.replace("deep_matrix", "deep_matrx"))
    expect(page.locator("#check")).to_contain_text("This cannot be submitted yet")
    expect(page.locator("#check code").first).to_contain_text("/run/model")
    spec.fill(good)
    expect(page.locator("#check")).to_contain_text("Multiply-adds")


def test_sort_page_and_filter(open_page, finished):
    page = open_page(f"/experiments/{finished['id']}")
    page.get_by_role("link", name="loss", exact=True).click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text(re.compile("loss"))
    first = column(page, "run")
    assert len(first) == 50
    page.evaluate("document.querySelector('[data-figures]').remove()")  # thousands of points, which keep axe-core busy
    assert faults_of(page, "#table") == []  # with links to further pages, which only a long table has
    page.get_by_role("link", name=re.compile("Next page")).click()
    rest = column(page, "run")
    assert sorted(map(int, first + rest)) == list(range(60))
    page.get_by_label("Filter").fill("model.depth = 3 AND sed < 4")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#where-mistake")).to_contain_text("seed")
    expect(page.locator("#where-mistake pre")).to_contain_text("^")
    expect(page.get_by_label("Filter")).to_have_value("model.depth = 3 AND sed < 4")
    page.get_by_label("Filter").fill("model.depth = 3 AND seed < 4")
    page.get_by_label("Filter").press("Enter")
    expect(page.locator("#table tbody tr")).to_have_count(4)
    assert column(page, "depth") == ["3"] * 4


def test_groups_come_without_leaving_the_page(open_page, finished):
    page = open_page(f"/experiments/{finished['id']}")
    page.locator("#groups-heading").scroll_into_view_if_needed()
    expect(page.locator("#groups tbody tr")).to_have_count(2)
    page.get_by_label("Metric").select_option("effective_rank")
    expect(page.locator("#groups caption")).to_contain_text("Effective rank by depth")


def test_choose_another_figure(open_page, finished):
    page = open_page(f"/experiments/{finished['id']}")
    expect(page.locator(".plot svg.main-svg").first).to_be_visible(timeout=PATIENCE)
    page.get_by_label("Show").select_option("singular_values")
    expect(page.locator(".plot")).to_have_attribute("aria-label", re.compile("ingular values"))
    with page.expect_download() as download:
        page.get_by_role("link", name="svg").click()
    assert download.value.path().read_text().lstrip().startswith("<?xml")


def test_open_a_run_draw_it_and_download_it(open_page, finished):
    page = open_page(f"/experiments/{finished['id']}")
    page.get_by_role("link", name="Run 3", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Run 3")
    expect(page.locator("#trajectory svg.main-svg").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#spectrum svg.main-svg").first).to_be_visible(timeout=PATIENCE)
    page.get_by_label("Draw").select_option("nuclear_norm")
    expect(page.locator("#trajectory .ytitle")).to_have_text("nuclear norm")
    with page.expect_download() as download:
        page.get_by_role("link", name="csv").click()
    assert download.value.path().read_text().startswith("run_id,step,")
    expect(page.locator("#theory")).to_contain_text("bound")


def test_cancel_and_delete(open_page, server):
    experiment = server.client.submit(LONG)
    page = open_page(f"/experiments/{experiment['id']}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#standing")).to_contain_text("cancelled 2", timeout=PATIENCE)
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Experiments")
    assert page.locator(f"a[href='/experiments/{experiment['id']}']").count() == 0


def test_a_run_is_watched_and_cancelled_on_its_own_page(open_page, server):
    experiment = server.client.submit(LONG)
    run = next(iter(server.client.runs(experiment["id"])))
    page = open_page(f"/runs/{run['id']}")
    expect(page.locator("#factors")).to_contain_text("npz", timeout=PATIENCE)
    before = page.locator("#standing").inner_text()
    expect(page.locator("#standing")).not_to_have_text(before, timeout=PATIENCE)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#standing")).to_contain_text("cancelled")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#standing")).to_contain_text(re.compile("queued|running"))
    server.client.cancel(experiment["id"])


def test_compare_two_experiments(open_page, finished, other):
    page = open_page("/")
    for name in ("finished", "other"):
        page.get_by_role("checkbox", name=f"Compare {name}", exact=True).first.check()
    page.get_by_role("button", name="Compare the chosen ones").click()
    expect(page.locator(".plot svg.main-svg").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator("table tbody tr")).to_have_count(2)
    page.get_by_label("Metric").select_option("loss")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("caption")).to_have_text(re.compile("^Loss"))


def test_by_keyboard_the_content_is_one_step_away(open_page, finished):
    page = open_page("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="New experiment")).to_be_focused()


def test_a_refresh_leaves_the_focus_and_the_filter_alone(open_page, server):
    experiment = server.client.submit(LONG)
    page = open_page(f"/experiments/{experiment['id']}")
    page.get_by_label("Filter").fill("seed =")
    page.get_by_role("link", name="Run 1").focus()
    before = page.locator("#table").inner_text()
    expect(page.locator("#table")).not_to_have_text(before, timeout=PATIENCE)
    expect(page.get_by_role("link", name="Run 1")).to_be_focused()
    expect(page.get_by_label("Filter")).to_have_value("seed =")
    server.client.cancel(experiment["id"])
