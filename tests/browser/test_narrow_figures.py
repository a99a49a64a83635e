"""Figures on the screen of a telephone: panels one above the other, titles whole, and names as they are typed."""

import pytest
from playwright.sync_api import expect

from tests.helpers.specs import BASIC, FLOW

TENSOR = {
    "problem": {"kind": "low_rank_completion", "shape": [4, 4, 4], "rank": 1, "observed": 20, "norm": 4},
    "model": {"kind": "cp_tensor"},
    "init": {"kind": "gaussian", "std": 1e-2},
    "optimizer": {"kind": "group_rmsprop", "learning_rate": 1e-2},
    "stop": {"max_steps": 200},
}
FOLLOWED = [{"optimizer": [{"kind": "gradient_flow"}, {"kind": "gradient_descent", "learning_rate": 0.1}]}]
MARKUP = "US$ 5% of $x <b>bold</b> <a href='https://elsewhere.example'>here</a>"
EXPERIMENTS = {
    "tensors": {"run": TENSOR, "sweep": [{"problem.observed": [20, 50]}]},
    "matrices": {
        "name": MARKUP,
        "run": BASIC | {"stop": {"max_steps": 200}},
        "sweep": [{"model.depth": [2, 3]}, {"optimizer.learning_rate": [0.01, 0.02]}],
    },
    "flow": {"run": FLOW, "sweep": [FOLLOWED[0] | {"stop": [{"max_time": 30.0}, {"max_steps": 300}]}]},
}
TEXTS = ".xtitle, .ytitle, .annotation-text, .legendtext, .gtitle, .cbtitle text"
CUT = """plot => {
  const box = plot.getBoundingClientRect();
  return [...plot.querySelectorAll(TEXTS)].filter((text) => {
    const at = text.getBoundingClientRect();
    const isBeside = at.left < box.left - 1 || at.right > box.right + 1;
    return at.width && (isBeside || at.top < box.top - 1 || at.bottom > box.bottom + 1);
  }).map((text) => text.textContent);
}""".replace("TEXTS", repr(TEXTS))
DOMAINS = """plot => Object.entries(plot._fullLayout)
  .filter(([name]) => /^xaxis/.test(name)).map(([, axis]) => axis.domain[0])"""


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_figure_has_whole_titles_and_panels_below_each_other(open_page, server, name):
    experiment = server.client.wait(server.client.submit(EXPERIMENTS[name])["id"])
    page = open_page(f"/experiments/{experiment['id']}", width=390)
    page.locator(".plot svg.main-svg").first.wait_for(timeout=90_000)
    for figure in page.locator("#figure option").all():
        value = figure.get_attribute("value")
        with page.expect_response(lambda answer, value=value: f"/figures/{value}.json" in answer.url):
            page.select_option("#figure", value)
        plot = page.locator(".plot").first
        expect(plot).to_have_attribute("aria-busy", "false", timeout=90_000)
        assert plot.evaluate(CUT) == [], value
        left = plot.evaluate(DOMAINS)
        assert left == [0] * len(left), value
        assert plot.locator("a").count() == 0


def test_names_in_a_legend_are_no_markup(open_page, server):
    ids = [server.client.submit(EXPERIMENTS["matrices"] | {"name": name})["id"] for name in (MARKUP, "other")]
    for one in ids:
        server.client.wait(one)
    page = open_page(f"/compare?experiment={ids[0]}&experiment={ids[1]}", width=390)
    page.locator(".plot .legendtext").first.wait_for(timeout=90_000)
    shown = page.locator(".plot .legendtext").first.text_content()
    assert shown.replace(" ", "") == MARKUP.replace(" ", "")
    assert page.locator(".plot a, .plot .legendtext [style*=bold]").count() == 0
