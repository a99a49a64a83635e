"""Numbers that are not finite have one spelling."""

import ast
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import service
from service.values import numbers

SOURCES = [path for path in Path(service.__file__).parent.rglob("*.py") if path.name != "numbers.py"]


@given(st.floats() | st.integers() | st.none() | st.text() | st.booleans())
def test_a_spelled_number_is_read_back_and_all_else_is_as_it_was(value):
    spelled = numbers.spell(value)
    if spelled is value:
        assert not isinstance(value, float) or abs(value) < float("inf")
        return
    assert spelled in numbers.NON_FINITE
    assert float(spelled) == value or (spelled == "NaN" and value != value)


def test_a_column_spells_what_the_database_holds_as_null():
    assert numbers.spell_all([None, float("-inf"), 1]) == ["NaN", "-Infinity", 1]


def test_the_words_stand_in_one_module():
    assert len(SOURCES) > 100
    elsewhere = {
        (path.name, node.lineno)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.strip("'\"+") in numbers.NON_FINITE
    }
    assert not elsewhere
