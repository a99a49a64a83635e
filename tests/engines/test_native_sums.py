"""Rates and corrections in compiled code have the bits of numpy's, wherever they begin and end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from workers.lab.engines.fused import tables
from workers.lab.engines.fused.tables import Row
from workers.lab.native import sums as native
from workers.lab.updates import ADAM_UPDATE, GROUP_RMSPROP_UPDATE
from workers.runs.rates import SCHEDULES, LearningRate, rates_of
from workers.runs.sequences import Sums, joined

SCHEDULED = [
    *(schedule.example for schedule in SCHEDULES.values() if not schedule.is_adaptive),
    {"kind": "cosine", "from": 0.0, "to": 0.5, "steps": 10**6},
    {"kind": "polynomial", "initial": 0.05, "power": 1},
    {"kind": "polynomial", "initial": 0.05, "power": 30.5},
    {"kind": "piecewise", "values": [0.1, 0.2], "steps": [200]},
    {"kind": "geometric", "initial": 0.5, "factor": 1},
]
NUMBERS = {
    **{str(schedule): rates_of(TypeAdapter(LearningRate).validate_python(schedule)).numbers for schedule in SCHEDULED},
    **{
        f"{name} {update.constants}": lambda first, count, table=table: table.numbers(0.99, first, count)
        for update in (ADAM_UPDATE, GROUP_RMSPROP_UPDATE)
        for name, table in update.tables.items()
    },
}
every_row = pytest.mark.parametrize("name", NUMBERS)
every_scalar = pytest.mark.parametrize("scalar", ["float64", "float32"])


def written(name, first, count, scalar):
    """What steps read, and the numbers around it."""
    out = np.full(count + 2, 7, scalar)
    left = Row(name, NUMBERS[name], None).write(first, count, out[1:-1, None])
    native.fill(left)
    assert out[0] == out[-1] == 7
    return out[1:-1]


@every_scalar
@every_row
@settings(max_examples=20, deadline=None)
@given(first=st.integers(0, 10**9) | st.integers(0, 300) | st.integers(3000, 6000), count=st.integers(1, 700))
def test_bits_are_those_of_numpy(name, scalar, first, count):
    expected = joined(NUMBERS[name](first, count)).astype(scalar)
    assert written(name, first, count, scalar).tobytes() == expected.tobytes()


@every_row
def test_numbers_are_the_same_where_nothing_can_be_compiled(name, monkeypatch):
    expected = written(name, 5000, 3000, "float64")
    monkeypatch.setattr(tables.sums, "is_available", lambda scalar: False)
    assert written(name, 5000, 3000, "float64").tobytes() == expected.tobytes()


def test_schedules_that_never_settle_are_left_to_compiled_code():
    for schedule in SCHEDULED:
        rates = rates_of(TypeAdapter(LearningRate).validate_python(schedule))
        if rates.settles_at is None:
            assert [type(part) for part in rates.numbers(10**7, 10**5)] == [Sums]
