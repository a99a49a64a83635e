"""The page of what presets cost."""

from benchmarks.preset_costs import NAMES, PAGE, page, written_rows
from service.presets import all_presets

CELLS = ("12", "11,237,428", "3.1", "5.0", "1.13 MB", "0.1")


def test_a_page_keeps_the_rows_that_are_not_measured_again():
    first, *others = all_presets()
    text = page({first: CELLS}, "a machine")
    rows = written_rows(text)
    assert rows[first] == CELLS
    assert set(rows) == set(all_presets())
    assert all(set(rows[name]) == {"-"} for name in others)
    assert "Machine: a machine." in text
    assert page(rows, "a machine") == text


def test_rows_of_presets_that_are_gone_are_left_out():
    assert "`gone`" not in page({"gone": CELLS}, "a machine")


def test_the_page_of_this_checkout_can_be_read():
    rows = written_rows(PAGE.read_text())
    assert rows
    assert all(len(cells) == len(NAMES) - 1 for cells in rows.values())
