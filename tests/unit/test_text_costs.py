"""Reading a text costs in proportion to its length, whatever stands in it; lines of Python are counted, not seconds."""

import sys
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAMLError

from service.cli.spec_files import SpecFile, UnreadableSpec
from service.errors import InvalidPayload
from service.values.yaml_texts import MOST_LEVELS, TooDeep, TooManyValues, bounded_yaml
from service.web import spec_text
from service.web.spec_text import from_text, to_text, to_yaml

pytestmark = pytest.mark.slow

CHARACTERS = 1500


def lines_of(act):
    """Lines of Python that an act runs through."""
    lines = 0

    def count(_frame, event, _argument):
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        act()
    finally:
        sys.settrace(before)
    return lines


def read_form(text):
    with suppress(InvalidPayload):
        from_text(text)


def check_grows_no_faster(text, twice, read):
    first, second = lines_of(lambda: read(text)), lines_of(lambda: read(twice))
    assert second <= 2.5 * first + 2000


UNITS = [
    "[",
    "{",
    "[[",
    "[a,",
    "[1, ",
    "{a: ",
    '{"a":',
    "- ",
    "? ",
    "a, ",
    "!x ",
    "&a ",
    "*a ",
    "'",
    '"',
    "#",
    "\n-",
    "a: b\n",
]


@pytest.mark.parametrize("start", ["", "a: ", "a: [", "{"])
@pytest.mark.parametrize("unit", UNITS)
def test_a_text_of_one_thing_again_and_again(start, unit):
    times = CHARACTERS // len(unit)
    check_grows_no_faster(start + unit * times, start + unit * 2 * times, read_form)


@settings(max_examples=40)
@given(st.text("[]{}:,-?&*!|>'\"#% \nab1.", min_size=1, max_size=8))
def test_any_text_again_and_again(unit):
    times = CHARACTERS // len(unit)
    check_grows_no_faster(unit * times, unit * 2 * times, read_form)


@pytest.mark.parametrize("unit", ["[", "{", "- ", "? ", '{"a":'])
def test_a_file_of_one_thing_again_and_again(tmp_path, unit):
    def read(text):
        path = tmp_path / "a.yaml"
        path.write_text(text)
        with suppress(UnreadableSpec):
            SpecFile(path)

    check_grows_no_faster("a: " + unit * CHARACTERS, "a: " + unit * 2 * CHARACTERS, read)


@pytest.mark.parametrize("text", ["[" * 60 + "]" * 60, "{a: " * 60 + "1" + "}" * 60, "- " * 60 + "1"])
def test_nesting_within_the_limit_is_read_and_beyond_it_is_refused_with_its_line(text):
    bounded_yaml(1000, aliases=False).load(text)
    opening = text[: text.rindex(text[0]) + 1]
    with pytest.raises(TooDeep, match=f"at most {MOST_LEVELS} levels"):
        bounded_yaml(1000, aliases=False).load(f"\n{opening} {opening}")


def test_more_values_than_are_read_are_refused():
    bounded_yaml(101, aliases=False).load(f"[{'1, ' * 100}]")
    with pytest.raises(TooManyValues, match="more than 101 values"):
        bounded_yaml(101, aliases=False).load(f"[{'1, ' * 101}]")
    with pytest.raises(YAMLError, match="alias"):
        bounded_yaml(101, aliases=False).load("[&a 1, *a]")


def test_json_is_read_as_json_however_many_values_it_has():
    text = f'{{"run": [{"1, " * 60_000}1]}}'
    assert lines_of(lambda: from_text(text)) < 1000
    assert len(from_text(text)["run"]) == 60_001


def test_a_file_of_json_is_read_as_json(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(f'{{"run": [{"1.5, " * 60_000}1]}}')
    assert lines_of(lambda: SpecFile(path)) < 2000
    assert SpecFile(path).location("/run") == f"{path}, line 1: /run"


def test_an_experiment_with_many_values_is_shown_as_json_and_a_longer_one_is_not_shown():
    many = {"run": {"seed": 1}, "sweep": [{"seed": list(range(20_000))}]}
    assert lines_of(lambda: to_text(many)) < 1000
    assert from_text(to_text(many)) == many
    assert to_text({"run": {"seed": [1, 2]}}) == to_yaml({"run": {"seed": [1, 2]}})
    with pytest.raises(InvalidPayload, match="more than the 200,000"):
        to_text({"sweep": [{"seed": list(range(spec_text.MOST_CHARACTERS))}]})
