"""Specs that are split and put together again are the same, whatever JSON they are."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kinds.combinations import pairs
from workers.runs import parts
from workers.runs.parts import WholeSpec, join, path_of, pieces_of, pointer_of, split
from workers.runs.reading import Splitter, StoredReader

pytestmark = pytest.mark.slow

LIMITS = (2, 19, 40, 4096)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
KEYS = st.text(max_size=5) | st.sampled_from(["a/b", "~", "~1", "", "$part", "."])
VALUES = st.recursive(
    SCALARS | st.text(max_size=60),
    lambda inside: st.lists(inside, max_size=8) | st.dictionaries(KEYS, inside, max_size=4),
    max_leaves=40,
)


@pytest.fixture(scope="module", params=LIMITS)
def limit(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "LEAST_PART_BYTES", request.param)
        yield request.param


@given(spec=st.dictionaries(KEYS, VALUES, max_size=5))
def test_a_spec_put_together_is_the_same_text(limit, spec):
    before = orjson.dumps(spec)
    pieces = split(spec)
    assert orjson.dumps(join(pieces)) == orjson.dumps(WholeSpec(pieces)) == orjson.dumps(spec) == before
    assert all(len(text.encode()) >= limit for text in pieces.parts.texts.values())
    assert longest_value(pieces.stem) < limit
    again = split(WholeSpec(pieces))
    assert (again.stem, again.places, again.parts.texts) == (pieces.stem, pieces.places, pieces.parts.texts)


def longest_value(value):
    """Bytes of the longest text or list that is in no list."""
    if isinstance(value, dict):
        return max(map(longest_value, value.values()), default=0)
    return len(orjson.dumps(value)) if isinstance(value, str | list) else 0


@given(path=st.lists(KEYS, min_size=1).map(tuple))
def test_pointers_lead_back(path):
    assert path_of(pointer_of(path)) == path


def test_specs_of_every_kind_are_split_as_their_json_is_and_are_read_back(limit):
    splitter, reader = Splitter(), StoredReader(2**20)
    for spec in (spec for combination in pairs() for spec in combination.specs):
        expected = split(spec.resolved())
        pieces = splitter.split(spec)
        assert orjson.dumps(pieces.stem) == orjson.dumps(expected.stem)
        assert pieces.places == expected.places
        assert pieces.parts.texts == expected.parts.texts
        assert orjson.dumps(join(pieces)) == orjson.dumps(spec.resolved())
        assert reader.read(pieces) == spec


def test_runs_share_what_is_long(monkeypatch):
    monkeypatch.setattr(parts, "LEAST_PART_BYTES", 20)
    observations = [{"index": [0, 1], "value": 0.5}, {"index": [1, 1], "value": 0.25}]
    problem = {"kind": "completion", "shape": [2, 2], "observations": observations}
    first = split({"problem": problem, "seed": 0})
    second = type(first)({**first.stem, "seed": 1}, first.places, first.parts)
    whole = [WholeSpec(pieces) for pieces in (first, second)]
    assert whole[0]["problem"]["observations"] is whole[1]["problem"]["observations"]
    assert first.stem["problem"]["observations"] is None
    assert pieces_of(whole[0]) is first
