"""A key that stands twice in an object of a body: refused with its pointer, in every body, at every depth."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.errors import InvalidPayload
from service.use_cases.repeated_keys import _count_members, check_keys
from tests.helpers.specs import BASIC

JSON = {"Content-Type": "application/json"}
BODIES = {
    ("post", "/v1/experiments"): {"run": BASIC, "tags": {"a": "1"}, "sweep": [{"seed": [0]}]},
    ("patch", "/v1/experiments/{experiment_id}"): {"tags": {"a": "1"}},
    ("post", "/v1/runs/{run_id}/extend"): {"max_steps": 10**6},
    ("post", "/v1/runs/query"): {"where": "step > 0"},
    ("post", "/v1/trajectories/query"): {"where": "step > 0"},
}


def objects_in(value, path=""):
    """Pointers of all objects in a JSON value."""
    if isinstance(value, dict):
        yield path
        for key, part in value.items():
            yield from objects_in(part, f"{path}/{key}")
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from objects_in(part, f"{path}/{index}")


def doubled(value, pointer, path=""):
    """JSON in which the first key of an object stands twice, and the pointer of that key."""
    if isinstance(value, list):
        return f"[{', '.join(doubled(part, pointer, f'{path}/{index}') for index, part in enumerate(value))}]"
    if not isinstance(value, dict):
        return json.dumps(value)
    members = [f"{json.dumps(key)}: {doubled(part, pointer, f'{path}/{key}')}" for key, part in value.items()]
    if path == pointer:
        key = next(iter(value))
        first = f"\\u{ord(key[0]):04x}"
        members.append(
            f'"{first}{json.dumps(key[1:])[1:]}: {json.dumps(value[key])}'
        )  # the same key, otherwise spelled
    return f"{{{', '.join(members)}}}"


def test_every_body_is_tried(api):
    paths = api.get("/openapi.json").json()["paths"]
    bodies = {
        (method, path)
        for path, calls in paths.items()
        for method, call in calls.items()
        if any("json" in media for media in call.get("requestBody", {}).get("content", {}))
    }
    assert bodies == set(BODIES)


@pytest.mark.parametrize(
    ("call", "pointer"), [(call, pointer) for call, body in BODIES.items() for pointer in objects_in(body)]
)
def test_a_key_twice(api, call, pointer):
    ids = api.post("/v1/experiments", json={"run": BASIC}).json()["id"], api.get("/v1/runs").json()["items"][0]["id"]
    path = call[1].format(experiment_id=ids[0], run_id=ids[1])
    body = BODIES[call]
    key = next(iter(at(body, pointer)))
    answer = api.request(call[0], path, content=doubled(body, pointer), headers=JSON)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == f"{pointer}/{key}"
    assert "more than once" in error["detail"]
    assert api.request(call[0], path, content=json.dumps(body), headers=JSON).status_code in (200, 202)


def at(value, pointer):
    for part in pointer.split("/")[1:]:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


keys = st.text('ab:"\\é\N{SNOWMAN} ', min_size=1, max_size=2)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('a:"\\{', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=20,
)


@given(value=values)
def test_json_without_a_key_twice_is_let_pass(value):
    check_keys(json.dumps(value).encode(), value)


@given(value=values)
def test_members_are_counted_without_reading(value):
    assert _count_members(json.dumps(value, indent=1).encode()) == members(value)


def members(value):
    if isinstance(value, dict):
        return len(value) + sum(map(members, value.values()))
    return sum(map(members, value)) if isinstance(value, list) else 0


@given(value=values, chosen=st.integers(0, 10**6))
def test_json_with_a_key_twice_is_refused_at_that_key(value, chosen):
    pointers = [pointer for pointer in objects_in(value) if at(value, pointer)]
    assume(pointers)
    pointer = pointers[chosen % len(pointers)]
    with pytest.raises(InvalidPayload) as refused:
        check_keys(doubled(value, pointer).encode(), value)
    assert [error.pointer for error in refused.value.errors] == [f"{pointer}/{next(iter(at(value, pointer)))}"]


@pytest.mark.parametrize("text", ['{"run": {"seed": 1, "seed": 2}}', "run:\n  seed: 1\n  seed: 2\n"])
def test_a_key_twice_in_the_form(api, text):
    answer = api.post("/new", data={"act": "submit", "spec": text})
    assert "duplicate key" in answer.text.lower() or "more than once" in answer.text.lower()
    assert api.get("/v1/experiments").json()["items"] == []
