"""axe-core finds no serious and no critical fault on any page, in light and in dark, wide and narrow."""

import pytest

from tests.browser.looks import BOTH_LOOKS, check_look, take_look

PAGES = {
    "list": "/",
    "empty list": "/?where=name = 'nobody'",
    "wrong filter": "/?where=nam = 3",
    "experiment": "/experiments/{other}",
    "wrong filter of runs": "/experiments/{other}?where=model.dept = 3",
    "groups": "/experiments/{finished}/groups?group_by=model.depth",
    "delete": "/experiments/{finished}/delete",
    "run": "/runs/{run}",
    "compare": "/compare?experiment={finished}&experiment={other}",
    "choose": "/compare",
    "new": "/new?preset=figure_1",
    "presets": "/presets",
}


@BOTH_LOOKS
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_no_serious_fault(open_page, server, finished, other, path, looks):
    run = next(iter(server.client.runs(finished["id"])))["id"]
    page = open_page(path.format(finished=finished["id"], other=other["id"], run=run), *looks[0])
    for look in looks:
        take_look(page, look)
        check_look(page)
