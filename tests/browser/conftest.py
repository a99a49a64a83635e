"""A real browser on a real server; what goes wrong in the browser fails the test that it goes wrong in."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.page_pictures import CHROMIUMS
from tests.helpers.servers import Server
from tests.helpers.specs import BASIC

_FEATURES_OFF = (
    # Chromium's address bar prepares pages of its own for every window, which take a second of a core each.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
    # Playwright's list, of which the last one counts, has these among others.
    *("AimEnabled", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "MediaRouter"),
    *("NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding", "PreconnectToSearch"),
)
_ARGUMENTS = (
    f"--disable-features={','.join(_FEATURES_OFF)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-sync",
    "--disable-component-update",
)
QUICK = BASIC | {"stop": {"max_steps": 300}, "record": {"every": 50}}
FINISHED = {
    "name": "finished",
    "tags": {"paper": "2005.06398"},
    "run": QUICK,
    "sweep": [{"model.depth": [2, 3]}, {"seed": list(range(30))}],
}
OTHER = {"name": "other", "run": QUICK, "sweep": [{"seed": [7, 8]}]}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        pytest.skip(
            f"There is no Chromium on this machine; install the package {CHROMIUMS[0]} to drive the pages in it."
        )
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Opens pages that are watched: no error on the console, no request but to the server."""
    complaints: list[str] = []
    contexts = []

    def opened(path: str = "/", scheme: str = "light", width: int = 1280) -> Page:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: check(request.url))
        page.goto(server.url + path)
        return page

    def check(url: str) -> None:
        if not url.startswith((server.url + "/", "data:", "blob:" + server.url)):
            complaints.append(f"asked {url}")

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def finished(server: Server) -> dict:
    return server.client.wait(server.client.submit(FINISHED)["id"])


@pytest.fixture(scope="session")
def other(server: Server) -> dict:
    return server.client.wait(server.client.submit(OTHER)["id"])
