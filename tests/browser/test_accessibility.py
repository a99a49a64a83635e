"""axe-core finds no serious and no critical fault on any page, in light and in dark, wide and narrow."""

import pytest
from axe_playwright_python.sync_playwright import Axe

PAGES = {
    "list": "/",
    "empty list": "/?where=name = 'nobody'",
    "wrong filter": "/?where=nam = 3",
    "experiment": "/experiments/{finished}",
    "wrong filter of runs": "/experiments/{finished}?where=model.dept = 3",
    "groups": "/experiments/{finished}/groups?group_by=model.depth",
    "delete": "/experiments/{finished}/delete",
    "run": "/runs/{run}",
    "compare": "/compare?experiment={finished}&experiment={other}",
    "choose": "/compare",
    "new": "/new?preset=figure_1",
    "presets": "/presets",
}


LOOKS = [("light", 1280), ("dark", 390)]
FURTHER_LOOKS = [
    pytest.param(scheme, width, marks=pytest.mark.long) for scheme, width in [("light", 390), ("dark", 1280)]
]


@pytest.mark.parametrize(("scheme", "width"), [*LOOKS, *FURTHER_LOOKS])
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_no_serious_fault(open_page, server, finished, other, path, scheme, width):
    run = next(iter(server.client.runs(finished["id"])))["id"]
    page = open_page(path.format(finished=finished["id"], other=other["id"], run=run), scheme, width)
    for plot in page.locator(".plot").all():
        plot.locator("svg.main-svg").first.wait_for(timeout=90_000)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = Axe().run(page).response["violations"]
    faults = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found if is_serious(one)]
    assert faults == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


def is_serious(violation):
    return violation["impact"] in ("serious", "critical")
