"""What the client makes of the values that people hold in Python."""

import json
from collections import OrderedDict, deque
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from service.client.plain import NotJson, plain


class Size(IntEnum):
    LARGE = 3


class Kind(Enum):
    ADAM = "adam"


class Shouting(str):
    __slots__ = ()


SAME = [
    (np.arange(3), [0, 1, 2]),
    (np.float32(0.1), 0.1),
    (np.float16(0.1), 0.1),
    (np.longdouble("0.1"), 0.1),
    (np.array(0.1, dtype="f4"), 0.1),
    (np.array([[0.1, 0.2]], dtype="f4"), [[0.1, 0.2]]),
    (np.bool_(True), True),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.array([]), []),
    (np.array([1, "a", None], dtype=object), [1, "a", None]),
    (np.str_("a"), "a"),
    (np.datetime64("2026-01-31"), "2026-01-31"),
    (pd.Series([1, 2]), [1, 2]),
    (pd.Series([0.1, 0.2], dtype="float32"), [0.1, 0.2]),
    (pd.Series([1, 2], dtype="Int64"), [1, 2]),
    (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
    (pd.Index([1, 2]), [1, 2]),
    (pd.RangeIndex(2), [0, 1]),
    (pd.DataFrame({"a": [1, 2]})["a"], [1, 2]),
    (pd.Timestamp("2026-01-31T10:00Z"), "2026-01-31T10:00:00+00:00"),
    (pl.Series([0.1], dtype=pl.Float32), [0.1]),
    (torch.tensor([0.1, 0.2], requires_grad=True), [0.1, 0.2]),
    (torch.tensor(True), True),
    (torch.tensor(3), 3),
    (Path("/a/b"), "/a/b"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (date(2026, 1, 31), "2026-01-31"),
    (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00+00:00"),
    (time(1, 2), "01:02:00"),
    (Decimal("0.001"), 0.001),
    (Decimal("1E+3"), 1000),
    (Fraction(1, 4), 0.25),
    (Size.LARGE, 3),
    (Kind.ADAM, "adam"),
    (Shouting("a"), "a"),
    (range(2), [0, 1]),
    ((1, 2), [1, 2]),
    (deque([1]), [1]),
    ({"a": 1}.keys(), ["a"]),
    ({"a": 1}.values(), [1]),
    ((number for number in (1, 2)), [1, 2]),
    (OrderedDict(a=1), {"a": 1}),
    ({np.int64(5): np.float64(0.5)}, {"5": 0.5}),
    (10**40, 10**40),
]
REFUSED = [
    float("nan"), float("-inf"), np.float32("inf"), np.array([1, np.nan]), pd.NA, pd.NaT, np.datetime64("NaT"),
    pd.Series([1, None], dtype="Int64"), {1, 2}, frozenset({1}), b"x", np.bytes_(b"x"), bytearray(b"x"), 1j,
    np.complex64(1), object(), timedelta(1), np.timedelta64(1, "s"), np.array([(1, 2)], dtype="i4,i4"), int, len,
    Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1e99999999"), "\ud800", {None: 1}, {(1, 2): 1},
    {True: 1}, {"\ud800": 1}, torch.tensor(float("nan")),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), SAME, ids=lambda value: type(value).__name__)
def test_taken(value, expected):
    made = plain({"a": [value]})["a"][0]
    assert made == expected
    assert json.loads(json.dumps(made, allow_nan=False)) == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_refused_with_its_place(value):
    with pytest.raises(NotJson, match=r"^/sweep/0"):
        plain({"sweep": [value]})


def test_what_contains_itself():
    itself: list = []
    itself.append(itself)
    with pytest.raises(NotJson, match="contains itself"):
        plain(itself)


@given(
    arrays.arrays(
        st.sampled_from(["f2", "f4", "f8", "i1", "i8", "u8", "?"]), arrays.array_shapes(max_dims=3, max_side=4)
    )
)
def test_arrays_keep_what_they_print(array):
    if not np.isfinite(array).all():
        with pytest.raises(NotJson):
            plain(array)
        return
    back = np.array(plain(array), dtype=array.dtype)
    assert (back == array).all()
    for number, printed in zip(np.ravel(np.array(plain(array), dtype=object)), array.ravel(), strict=True):
        assert float(number) == float(str(printed)) if array.dtype.kind == "f" else number == printed


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
        lambda parts: st.lists(parts) | st.dictionaries(st.text(st.characters(codec="utf-8")), parts),
    )
)
def test_plain_values_stay_as_they_are(value):
    assert plain(value) == value
