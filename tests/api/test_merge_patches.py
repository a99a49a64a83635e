"""Changing an experiment: JSON merge patches (RFC 7396), so that two writers keep what the other wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC
from workers.runs.merge_patches import merge_patch

MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def path(api):
    payload = {"run": BASIC, "name": "first", "tags": {"a": "1"}, "priority": 3}
    return api.post("/v1/experiments", json=payload).headers["location"]


def shown(api, path):
    return {name: api.get(path).json()[name] for name in ("name", "tags", "priority")}


# From RFC 7396, appendix A.
EXAMPLES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), EXAMPLES)
def test_the_examples_of_the_standard(target, patch, result):
    assert merge_patch(target, patch) == result


@BOTH_DATABASES
def test_two_writers_keep_what_the_other_wrote(api, path):
    for tag in ({"b": "2"}, {"c": "3"}):
        assert api.patch(path, json={"tags": tag}, headers=MERGE).status_code == 200
    assert shown(api, path) == {"name": "first", "tags": {"a": "1", "b": "2", "c": "3"}, "priority": 3}


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({}, {}),
        ({"tags": {}}, {}),
        ({"tags": {"a": None}}, {"tags": {}}),
        ({"tags": {"absent": None}}, {}),
        ({"tags": {"a": None, "b": "2"}}, {"tags": {"b": "2"}}),
        ({"tags": None}, {"tags": {}}),
        ({"name": None}, {"name": ""}),
        ({"priority": None}, {"priority": 0}),
        ({"priority": -7, "name": "second"}, {"priority": -7, "name": "second"}),
    ],
)
@pytest.mark.parametrize("headers", [MERGE, {"Content-Type": "application/json"}])
def test_a_patch(api, path, patch, changed, headers):
    before = shown(api, path)
    answer = api.patch(path, json=patch, headers=headers)
    assert answer.status_code == 200, answer.text
    assert shown(api, path) == before | changed
    assert {name: answer.json()[name] for name in before} == before | changed


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ([], ""),
        ({"tags": "a"}, "/tags"),
        ({"tags": {"b": 2}}, "/tags/b"),
        ({"tags": {"b": {"c": None}}}, "/tags/b"),
        ({"tags": {"": "x"}}, "/tags/"),
        ({"tags": {"b": "nul \0"}}, "/tags/b"),
        ({"tags": {f"tag {number}": "x" for number in range(50)}}, "/tags"),
        ({"priority": 101}, "/priority"),
        ({"run": None}, "/run"),
    ],
)
def test_a_patch_that_cannot_be_changes_nothing(api, path, patch, pointer):
    before = shown(api, path)
    answer = api.patch(path, json=patch, headers=MERGE)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert shown(api, path) == before


def test_other_bodies_take_no_merge_patch(api, path):
    assert api.post("/v1/experiments", json={"run": BASIC}, headers=MERGE).status_code == 415
    answer = api.patch(path, content="{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "application/merge-patch+json" in answer.json()["detail"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(target=values, patch=values)
def test_a_patch_twice_is_a_patch_once(target, patch):
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once
