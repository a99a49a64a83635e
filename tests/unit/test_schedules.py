import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.specs import spec
from workers.lab.engines.recording import Schedules
from workers.runs.schedules import count_points, recorded_steps
from workers.runs.spec import Record


def test_log_spacing_has_the_asked_points_per_decade():
    steps = recorded_steps(Record(points_per_decade=100), 10**6)
    assert steps[0] == 0
    assert np.all(np.diff(steps) > 0)
    assert np.count_nonzero((steps > 10**4) & (steps <= 10**5)) == 100
    assert {1, 10, 100, 10**3, 10**4, 10**5, 10**6} <= set(steps.tolist())


def test_regular_spacing():
    assert recorded_steps(Record(every=4), 10).tolist() == [0, 4, 8]


@given(st.integers(1, 200), st.integers(0, 10**7), st.integers(0, 10**7))
def test_asking_for_more_steps_only_adds_points(points_per_decade, fewer, more):
    record = Record(points_per_decade=points_per_decade)
    longer = recorded_steps(record, max(fewer, more))
    assert recorded_steps(record, min(fewer, more)).tolist() == longer[longer <= min(fewer, more)].tolist()


@pytest.mark.parametrize("max_steps", [0, 1, 7, 8, 1000, 1001])
@pytest.mark.parametrize("record", [Record(every=4), Record(points_per_decade=10)])
def test_the_point_count_includes_the_last_step(record, max_steps):
    assert count_points(record, max_steps) == len({*recorded_steps(record, max_steps).tolist(), max_steps})


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=6))
def test_due_steps_are_those_of_each_run_in_its_own_window(windows):
    every = [3, 5, 3, 7, 5, 3]
    specs = [spec(record={"every": every[i]}, stop={"max_steps": 250}) for i in range(len(windows))]
    after, until = (np.array(column) for column in zip(*windows, strict=True))
    runs, steps = Schedules(specs).due(after, until)
    found = sorted(zip(runs.tolist(), steps.tolist(), strict=True))
    assert found == [
        (i, step) for i, (low, high) in enumerate(windows) for step in range(0, 251, every[i]) if low < step <= high
    ]
