"""Files of experiments as people write them: what is read, and the line of what cannot be."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from service.cli.spec_files import SpecFile, UnreadableSpec

TAKEN = {
    "dates.yaml": (
        b"tags:\n  date: 2026-01-31\n  at: 2026-01-31T10:00:00Z",
        {"tags": {"date": "2026-01-31", "at": "2026-01-31T10:00:00Z"}},
    ),
    "numbers.yaml": (
        b"a: 1e-3\nb: 0x1F\nc: 0o17\nd: -5\ne: .5\nf: '5'\ng: 1E5",
        {"a": 1e-3, "b": 31, "c": 15, "d": -5, "e": 0.5, "f": "5", "g": 1e5},
    ),
    "words.yaml": (b"a: yes\nb: true\nc: ~\nd:\n2024: x", {"a": "yes", "b": True, "c": None, "d": None, "2024": "x"}),
    "merged.yaml": (
        b"base: &b {seed: 1, z: 1}\nrun:\n  <<: *b\n  z: 2",
        {"base": {"seed": 1, "z": 1}, "run": {"seed": 1, "z": 2}},
    ),
    "utf16.yaml": ("name: naïve".encode("utf-16"), {"name": "naïve"}),
    "bom.yaml": ("\ufeffname: a".encode(), {"name": "a"}),
    "tabs.json": (b'{\n\t"run": {\n\t\t"a": 1\n\t}\n}', {"run": {"a": 1}}),
    "long.json": (json.dumps({"x" * 1025: {"é" * 1025: 1}}).encode(), {"x" * 1025: {"é" * 1025: 1}}),
    "colons.json": (b'{"a"\n:1,"b: \\"c"\n\n:["d", ":"]}', {"a": 1, 'b: "c': ["d", ":"]}),
    "emoji.json": (b'{"name": "\\ud83d\\ude00"}', {"name": "😀"}),
}
REFUSED = {
    "infinite.yaml": (b"run:\n  stop:\n    loss_below: .inf", 3, ".inf"),
    "negative.yaml": (b"run:\r\n  a: -.INF", 2, "JSON"),
    "nan.yaml": (b"a: .nan", 1, ".nan"),
    "overflow.yaml": (b"\na: 1e999", 2, "1e999"),
    "nan.json": (b'{"a":\n NaN}', 2, "NaN"),
    "infinite.json": (b'{"a": -Infinity}', 1, "Infinity"),
    "latin.yaml": ("name: a\nrun:\n  x: naïve\n".encode("latin-1"), 3, "0xef"),
    "latin.json": ('{"a":\n "é"}'.encode("latin-1"), 2, "UTF-8"),
    "set.yaml": (b"run:\n  a: !!set {x, y}", 2, "set"),
    "binary.yaml": (b"a: 1\nb: !!binary aGk=", 2, "binary"),
    "tag.yaml": (b"a: 1\nb: !mine {x: 1}", 2, "!mine"),
    "object.yaml": (b"a: !!python/object:os.system x", 1, "python/object"),
    "typed.yaml": (b"a: !!int x", 1, "number"),
    "truth.yaml": (b"a: !!bool maybe", 1, "maybe"),
    "twice.yaml": (b"run:\n  seed: 1\n  seed: 2", 3, "twice"),
    "twice.json": (b'{"run": {"a": 1,\n "a": 2}}', 2, "twice"),
    "tab.yaml": (b"run:\n\tseed: 1", 2, "neither YAML nor JSON"),
    "comma.json": (b'{\n "run": {"a": 1,}\n}', 2, "column"),
    "bracket.yaml": (b"run:\n  a: [1, 2\nb: 3", 3, "neither YAML nor JSON"),
    "nul.yaml": (b"a: 1\nb: x\x00y", 2, "#x0000"),
    "escape.yaml": (b"a: 1\nb: \x1b[31m", 2, "#x001b"),
    "key.yaml": (b"a: 1\n? [1, 2]\n: 3", 2, "names"),
    "two.yaml": (b"a: 1\n---\nb: 2", 2, "document"),
    "alias.yaml": (b"a: *nobody", 1, "nobody"),
    "half.json": (b'{"a": "\\ud800"}', 1, "surrogate"),
    "digits.json": (b'{"seed": ' + b"9" * 5000 + b"}", 1, "number"),
}
WITHOUT_LINE = {
    "empty.yaml": (b"", "empty"),
    "blank.json": (b" \n\n", "empty"),
    "comment.yaml": (b"# nothing", "comments"),
    "list.yaml": (b"- 1\n- 2", "list"),
    "value.json": (b"5", "single value"),
    "itself.yaml": (b"a: &x\n  b: *x", "contains itself"),
    "deep.json": (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "deep"),
    "deep.yaml": (b"a: " + b"[" * 5000 + b"]" * 5000, "deep"),
}


def read(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return SpecFile(path)


@pytest.mark.parametrize("name", TAKEN)
def test_taken(tmp_path, name):
    content, expected = TAKEN[name]
    assert read(tmp_path, name, content).content == expected


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_line(tmp_path, name):
    content, line, why = REFUSED[name]
    with pytest.raises(UnreadableSpec) as refused:
        read(tmp_path, name, content)
    assert f"{name}, line {line}" in refused.value.detail
    assert why in refused.value.detail


@pytest.mark.parametrize("name", WITHOUT_LINE)
def test_refused_altogether(tmp_path, name):
    content, why = WITHOUT_LINE[name]
    with pytest.raises(UnreadableSpec, match=why):
        read(tmp_path, name, content)


def test_what_is_no_file(tmp_path):
    with pytest.raises(UnreadableSpec, match="folder"):
        SpecFile(tmp_path)
    with pytest.raises(UnreadableSpec, match="No such file"):
        SpecFile(tmp_path / "absent.yaml")


@pytest.mark.slow
def test_a_file_that_stands_for_too_much(tmp_path):
    tens = "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n"
        for before, name in zip("abcdefg", "bcdefgh", strict=True)
    )
    with pytest.raises(UnreadableSpec, match="values"):
        read(tmp_path, "laugh.yaml", f"a: &a [1,1,1,1,1,1,1,1,1,1]\n{tens}".encode())


def test_the_line_of_a_pointer(tmp_path):
    file = read(tmp_path, "a.yaml", b"base: &b {seed: 1}\nrun:\n  <<: *b\n  'x/y~':\n    - 1\n    - {z: 2}\n")
    lines = {"/run/seed": 1, "/run/absent": 2, "": 1, "/run/x~1y~0/1/z": 6, "/run/x~1y~0/7": 4, "/run/x~1y~0/0": 5}
    assert {pointer: file.location(pointer) for pointer in lines} == {
        pointer: f"{tmp_path}/a.yaml, line {line}: {pointer or '/'}" for pointer, line in lines.items()
    }


KEYS = st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda parts: st.lists(parts) | st.dictionaries(KEYS, parts),
    max_leaves=20,
)


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, JSON), st.sampled_from([None, 2, "\t"]), st.booleans())
def test_all_that_json_can_say_is_read_as_json_reads_it(tmp_path: Path, content, indent, ascii):
    text = json.dumps(content, indent=indent, ensure_ascii=ascii)
    assert read(tmp_path, "a.json", text.encode()).content == content


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60) | st.text("{}[]:,-?!&*#|>'\"%@` \n\tab1.~<=", max_size=40).map(str.encode),
    st.sampled_from(["a.yaml", "a.json"]),
)
def test_whatever_stands_in_a_file_ends_in_a_sentence(tmp_path: Path, content, name):
    with suppress(UnreadableSpec):
        json.dumps(read(tmp_path, name, content).content, allow_nan=False).encode()


def test_presets_are_read_as_before():
    for path in Path("service/presets").glob("*.yaml"):
        assert SpecFile(path).content == YAML(typ="safe", pure=True).load(path.read_text())
