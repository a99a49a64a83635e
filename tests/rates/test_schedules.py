"""Schedules: the rate of every step as defined, its sums, and runs that go past the end of a schedule."""

from math import cos, fsum, gamma, pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.helpers.slices import points_of
from tests.helpers.specs import member, run_whole, spec
from workers.records import Batch, Budget
from workers.runs.rates import LearningRate, rates_of
from workers.slices import run_slice

DEFINITIONS = {
    "number": (0.25, lambda k: 0.25),
    "piecewise": (
        {"kind": "piecewise", "values": [0.5, 0.1, 0.2], "steps": [70, 1000]},
        lambda k: 0.5 if k < 70 else 0.1 if k < 1000 else 0.2,
    ),
    "piecewise from 0": (
        {"kind": "piecewise", "values": [0.5, 0.1], "steps": [0, 70]},
        lambda k: 0.5 if k < 70 else 0.1,
    ),
    "cosine": (
        {"kind": "cosine", "from": 0.3, "to": 0.01, "steps": 777},
        lambda k: 0.01 + 0.29 * (1 + cos(pi * k / 777)) / 2 if k < 777 else 0.01,
    ),
    "rising cosine": (
        {"kind": "cosine", "from": 0.0, "to": 0.5, "steps": 10},
        lambda k: 0.5 * (1 - cos(pi * k / 10)) / 2 if k < 10 else 0.5,
    ),
    "polynomial": ({"kind": "polynomial", "initial": 0.5, "power": 1}, lambda k: 0.5 / (k + 1)),
    "root": ({"kind": "polynomial", "initial": 0.5, "power": 0.5}, lambda k: 0.5 / (k + 1) ** 0.5),
    "steep": ({"kind": "polynomial", "initial": 0.5, "power": 3.5}, lambda k: 0.5 / (k + 1) ** 3.5),
    "flat": ({"kind": "polynomial", "initial": 0.5, "power": 0}, lambda k: 0.5),
    "geometric": ({"kind": "geometric", "initial": 0.5, "factor": 0.999}, lambda k: 0.5 * 0.999**k),
    "no decay": ({"kind": "geometric", "initial": 0.5, "factor": 1}, lambda k: 0.5),
}
every_definition = pytest.mark.parametrize("name", DEFINITIONS)


def parsed(name):
    return rates_of(TypeAdapter(LearningRate).validate_python(DEFINITIONS[name][0]))


@every_definition
def test_rates_are_those_of_the_definition(name):
    rates, definition = parsed(name).rates(0, 3000), DEFINITIONS[name][1]
    np.testing.assert_allclose(rates, [definition(k) for k in range(3000)], rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize("power", [0.01, 0.5, 1, 2, 7.5, 100])
def test_powers_are_exact_wherever_their_series_begins(power):
    rates = rates_of(TypeAdapter(LearningRate).validate_python({"kind": "polynomial", "initial": 1, "power": power}))
    for first in (0, 3000, 90_000, 10**6, 10**9):
        steps = np.arange(first + 1, first + 5001, dtype=np.longdouble)
        expected = (steps ** np.longdouble(-power)).astype(np.float64)
        np.testing.assert_allclose(rates.rates(first, 5000), expected, rtol=1e-15 * (1 + 12 * power), atol=1e-300)


@every_definition
def test_times_are_the_sums_of_the_rates_before(name):
    rates, steps = parsed(name).rates(0, 3000), np.array([0, 1, 2, 63, 64, 65, 70, 71, 777, 778, 1000, 1001, 3000])
    sums = [fsum(rates[:step]) for step in steps]
    np.testing.assert_allclose(parsed(name).times(steps), sums, rtol=4e-15, atol=0)


@every_definition
@given(first=st.integers(0, 10**6), count=st.integers(1, 300), more=st.integers(0, 300))
def test_rates_do_not_depend_on_how_steps_are_cut(name, first, count, more):
    whole = parsed(name).rates(first, count + more)
    assert whole[:count].tobytes() == parsed(name).rates(first, count).tobytes()
    if more:
        assert whole[count:].tobytes() == parsed(name).rates(first + count, more).tobytes()


@every_definition
def test_a_settled_rate_stays(name):
    if (settled := parsed(name).settles_at) is not None:
        assert len(set(parsed(name).rates(settled, 500))) == 1


SQUARE = {
    "problem": {"kind": "completion", "shape": [1, 1], "observations": [{"index": [0, 0], "value": 0.0}]},
    "model": {"kind": "deep_matrix", "depth": 1},
    "init": {"kind": "explicit", "factors": [[[1.0]]]},
    "record": {"every": 1, "entries": [[0, 0]]},
}
"""w^2 / 2 from w = 1."""


def scheduled(schedule, steps, engine="torch", **changes):
    optimizer = {"kind": "gradient_descent", "learning_rate": schedule}
    return spec(**SQUARE, **changes, optimizer=optimizer, stop={"max_steps": steps}, engine=engine)


@pytest.mark.parametrize("engine", ["torch", "fused"])
def test_a_rate_over_the_number_of_the_step(engine):
    """w_100 = Gamma(100.5) / (Gamma(0.5) 100!)."""
    result = run_whole(scheduled({"kind": "polynomial", "initial": 0.5, "power": 1}, 100, engine))
    w = result.points.columns["entries"][-1, 0]
    assert w == pytest.approx(gamma(100.5) / (gamma(0.5) * gamma(101)), rel=1e-12)
    assert w == pytest.approx(0.0563484790, rel=1e-8)


@pytest.mark.parametrize("engine", ["torch", "fused"])
@every_definition
def test_a_run_takes_the_rates_of_its_schedule_and_its_time_is_their_sum(name, engine):
    schedule, definition = DEFINITIONS[name]
    result = run_whole(scheduled(schedule, 90, engine))
    factors = np.cumprod([1 - definition(k) for k in range(90)])
    np.testing.assert_allclose(result.points.columns["entries"][1:, 0], factors, rtol=1e-11)
    sums = [fsum(definition(k) for k in range(step)) for step in range(91)]
    np.testing.assert_allclose(result.points.columns["time"], sums, rtol=1e-13)
    assert result.progress[0].summary["time"] == result.points.columns["time"][-1]


@pytest.mark.parametrize("engine", ["torch", "fused"])
@pytest.mark.parametrize(("name", "end", "last"), [("cosine", 777, 0.01), ("piecewise", 1000, 0.2)])
def test_a_run_extended_past_the_end_of_its_schedule_keeps_the_last_rate(name, end, last, engine):
    schedule, _ = DEFINITIONS[name]
    begun = scheduled(schedule, end, engine)
    longer = scheduled(schedule, end + 20, engine)
    short = run_whole(begun).progress[0]
    rest = run_slice(Batch((member(longer, short.checkpoint),)), Budget(600))
    whole = points_of(run_whole(longer))
    for key, point in points_of(rest).items():
        assert {name: np.asarray(value).tobytes() for name, value in point.items()} == {
            name: np.asarray(value).tobytes() for name, value in whole[key].items()
        }
    w = rest.points.columns["entries"][:, 0]
    np.testing.assert_allclose(w[1:] / w[:-1], 1 - last, rtol=1e-12)
    assert rest.progress[0].summary["time"] == pytest.approx(short.summary["time"] + 20 * last, rel=1e-12)


def test_a_number_keeps_the_time_it_had():
    """Learning rate times steps, rounded once."""
    times = run_whole(scheduled(0.1, 90)).points.columns["time"]
    assert times.tolist() == [step * 0.1 for step in range(91)]
