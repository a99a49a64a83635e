"""Marks of tests, by their folder and by what they use; see pyproject.toml for what they say."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

FOLDER_MARKERS = {
    "browser": ("processes", "browser", "alone"),
    "chaos": ("processes", "chaos", "alone"),
    "cluster": ("processes", "alone"),
    "containers": ("alone", "containers"),
    "e2e": ("processes", "alone"),
    "examples": ("processes",),
    "installed": ("slow", "processes", "alone"),
    "kinds": ("slow",),
    "reference": ("slow",),
}
"""Marks of every test of a folder."""

LENGTHY = frozenset({"alone", "postgresql", "processes", "slow"})
"""Marks of what --fast leaves out."""


def is_left_out(path: Path, config: pytest.Config) -> bool:
    """Whether no test of a folder is wanted, by --fast or by `-m alone` and its opposite."""
    if path.parent != TESTS or not path.is_dir():
        return False
    marks = FOLDER_MARKERS.get(path.name, ())
    unwanted = {"alone": "alone" not in marks, "not alone": "alone" in marks}
    is_fast = bool(config.getoption("--fast"))
    return unwanted.get(str(config.getoption("markexpr")), False) or (is_fast and not LENGTHY.isdisjoint(marks))


def mark(item: pytest.Item) -> None:
    """By the folder, by the database, and by the server that a test starts or shares."""
    folder = item.path.relative_to(TESTS).parts[0]
    if item.get_closest_marker("alone") and "alone" not in FOLDER_MARKERS.get(folder, ()):
        raise pytest.UsageError(
            f"{item.nodeid} is marked `alone`, and its folder is not: it would run in neither half."
        )
    for name in FOLDER_MARKERS.get(folder, ()):
        item.add_marker(name)
    fixtures = getattr(item, "fixturenames", ())
    if "server" in fixtures:
        item.add_marker("processes")
    if "postgresql" in fixtures or "postgresql" in _parameters(item):
        item.add_marker("postgresql")


def _parameters(item: pytest.Item) -> tuple[object, ...]:
    callspec = getattr(item, "callspec", None)
    return () if callspec is None else tuple(value for value in callspec.params.values() if isinstance(value, str))
