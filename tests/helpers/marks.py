"""Marks of tests, by their folder and by what they use; see pyproject.toml for what they say."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

FOLDER_MARKERS = {
    "examples": ("processes",),
    "kinds": ("slow",),
    "reference": ("slow",),
    "containers": ("alone", "containers"),
    "e2e": ("processes", "alone"),
    "cluster": ("processes", "alone"),
    "chaos": ("processes", "chaos", "alone"),
    "installed": ("slow", "processes", "alone"),
    "browser": ("processes", "browser", "alone"),
}
"""Marks of every test of a folder; folders run in this order, which ends with the least uneven files."""

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


def turn(item: pytest.Item) -> int:
    """When a test runs, by its folder: a long file in the end would leave a core without work."""
    folders = list(FOLDER_MARKERS)
    folder = _folder(item)
    return folders.index(folder) if folder in folders else -1


def mark(item: pytest.Item) -> None:
    """By the folder, by the database, and by the server that a test starts or shares."""
    folder = _folder(item)
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


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]


def _parameters(item: pytest.Item) -> tuple[object, ...]:
    callspec = getattr(item, "callspec", None)
    return () if callspec is None else tuple(value for value in callspec.params.values() if isinstance(value, str))
