"""Pages in light and in dark, wide and narrow: axe-core finds no serious fault, and nothing scrolls sideways."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, TimeoutError

Look = tuple[str, int]
"""A colour scheme, and a width in CSS pixels."""

LOOKS: tuple[Look, ...] = (("dark", 390), ("light", 1280))
FURTHER_LOOKS: tuple[Look, ...] = (("light", 390), ("dark", 1280))

BOTH_LOOKS = pytest.mark.parametrize(
    "looks", [pytest.param(LOOKS, id="looks"), pytest.param(FURTHER_LOOKS, id="further", marks=pytest.mark.long)]
)
"""A page is loaded in the first look, and changes to the second as it does for a reader."""

_DRAWN = """() => [...document.querySelectorAll('.plot')].every(
  (plot) => plot.getAttribute('aria-busy') === 'false' && plot.querySelector('svg.main-svg')
) && [...document.querySelectorAll('.plot-note')].every((note) => !note.textContent)"""
_FITS = """() => [...document.querySelectorAll('.plot')].every(
  (plot) => plot.querySelector('svg.main-svg').getBoundingClientRect().width <= plot.clientWidth
)"""
_NEXT_FRAME = "() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"
_OPEN_ALL = "document.querySelectorAll('details').forEach((part) => { part.open = true; })"


def take_look(page: Page, look: Look) -> None:
    """Change to a colour scheme and a width, and wait until figures are drawn so."""
    scheme, width = look
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(_NEXT_FRAME)  # in which a page hears of its new scheme
    page.wait_for_function(_DRAWN, timeout=90_000)
    try:
        page.wait_for_function(_FITS, timeout=30_000)
    except TimeoutError:
        raise AssertionError("a figure is wider than its box, which hides the rest of it") from None


def check_look(page: Page) -> None:
    """The page as it is has no fault, with all that can be opened open."""
    page.evaluate(_OPEN_ALL)
    assert faults_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


def faults_of(page: Page, part: str | None = None) -> list[tuple[str, list[Any]]]:
    """Serious faults of a page, or of the part that a selector names: each with the elements that have it."""
    faults = Axe().run(page, part, {"resultTypes": ["violations"]}).response["violations"]
    return [(fault["id"], [node["target"] for node in fault["nodes"]]) for fault in faults if _is_serious(fault)]


def _is_serious(fault: dict[str, Any]) -> bool:
    return fault["impact"] in ("serious", "critical")
