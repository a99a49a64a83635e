"""Flows of losses that are none of squares, against solutions in closed form, and the margin of a separable problem."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expi

from tests.helpers.specs import flow, run_whole

ONE_LABEL = {"kind": "completion", "shape": [1, 1], "observations": [{"index": [0, 0], "value": 1}]}
TWO_LABELS = {
    "kind": "completion",
    "shape": [2, 2],
    "observations": [{"index": [0, 0], "value": 1}, {"index": [1, 1], "value": 1}],
}
TO_100 = {"max_time": 100.0}
TIGHT = {"kind": "gradient_flow", "rtol": 1e-12, "atol": 1e-14}
TRACKED = {"points_per_decade": 4, "entries": [[0, 0]]}
DEPTH_1_AT_100, DEPTH_2_AT_100 = 4.5688294948, 6.9866994929
"""Solutions of w + e^w = 1 + t, and of (ln s + Ei s) / 2 = t + constant with s(0) = 0.01, at t = 100."""


def entry_of(run):
    columns = run_whole(run).points.columns
    return columns["time"], columns["entries"][:, 0]


def logistic(**parts):
    return flow(
        **{"problem": ONE_LABEL, "loss": "logistic", "optimizer": TIGHT, "stop": TO_100, "record": TRACKED} | parts
    )


def at_depth(depth, product):
    factor = product ** (1 / depth)
    return {
        "model": {"kind": "deep_matrix", "depth": depth},
        "init": {"kind": "explicit", "factors": [[[factor]]] * depth},
    }


def test_a_number_follows_the_logistic_flow():
    """dw/dt = 1 / (1 + e^w) from 0 has w + e^w = 1 + t."""
    time, entry = entry_of(logistic(**at_depth(1, 0.0)))
    expected = [brentq(lambda w, t=t: w + np.exp(w) - 1 - t, -1, 10, xtol=1e-15, rtol=1e-15) for t in time]
    np.testing.assert_allclose(entry, expected, rtol=1e-9, atol=1e-12)
    assert entry[-1] == pytest.approx(DEPTH_1_AT_100, rel=1e-9)


def integral(size):
    """Time at which a product of depth 2 has a size, but for a constant: that of ds/dt = 2 s / (1 + e^s)."""
    return (np.log(size) + expi(size)) / 2


def test_a_product_of_depth_2_follows_the_logistic_flow():
    time, entry = entry_of(logistic(**at_depth(2, 0.01)))
    start = integral(0.01)
    expected = [brentq(lambda s, t=t: integral(s) - start - t, 1e-3, 20, xtol=1e-15, rtol=1e-15) for t in time]
    np.testing.assert_allclose(entry, expected, rtol=1e-9)
    assert entry[-1] == pytest.approx(DEPTH_2_AT_100, rel=1e-9)


def test_a_flow_with_its_determinant_follows_it_too():
    """Two labels on the diagonal, each half of the mean: the same solution at twice the time."""
    start = {"model": {"kind": "deep_matrix", "depth": 2}, "init": {"kind": "identity", "scale": 0.1}}
    time, entry = entry_of(logistic(problem=TWO_LABELS, stop={"max_time": 200.0}, **start))
    assert time[-1] == 200
    assert entry[-1] == pytest.approx(DEPTH_2_AT_100, rel=1e-9)


def test_the_exponential_flow_is_a_logarithm():
    """dw/dt = e^-w from 0 has w = ln(1 + t)."""
    time, entry = entry_of(logistic(loss="exponential", **at_depth(1, 0.0)))
    np.testing.assert_allclose(entry, np.log1p(time), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("p", [3.0, 4.0])
def test_the_flow_of_a_power_falls_as_a_power(p):
    """dr/dt = -r^(p-1) from 1 has r = (1 + (p - 2) t)^(-1 / (p - 2))."""
    problem = {"kind": "completion", "shape": [1, 1], "observations": [{"index": [0, 0], "value": 0}]}
    time, entry = entry_of(logistic(problem=problem, loss={"kind": "lp", "p": p}, **at_depth(1, 1.0)))
    np.testing.assert_allclose(entry, (1 + (p - 2) * time) ** (-1 / (p - 2)), rtol=1e-9)


def test_a_huber_flow_moves_at_a_constant_speed_then_exponentially():
    """From r = 3 with delta = 1: r = 3 - t until r = 1, then e^-(t - 2)."""
    problem = {"kind": "completion", "shape": [1, 1], "observations": [{"index": [0, 0], "value": 0}]}
    parts = {"problem": problem, "loss": {"kind": "huber", "delta": 1}, "stop": {"max_time": 10.0}}
    time, entry = entry_of(logistic(**parts, **at_depth(1, 3.0)))
    np.testing.assert_allclose(entry, np.where(time < 2, 3 - time, np.exp(2 - time)), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_the_margin_goes_to_the_largest_as_one_over_the_logarithm_of_time(loss):
    """Soudry et al. 2018: points (1, 2) and (2, -1/2) of one class, both support vectors."""
    inputs = np.array([[1.0, 2.0], [2.0, -0.5]])
    measurements = [{"tensor": [row], "value": 1} for row in inputs.tolist()]
    direction = np.linalg.solve(inputs, np.ones(2))
    largest = 1 / np.linalg.norm(direction)
    run = flow(
        problem={"kind": "sensing", "shape": [1, 2], "measurements": measurements},
        model={"kind": "deep_matrix", "depth": 1},
        init={"kind": "explicit", "factors": [[[0.5, 0.0]]]},
        loss=loss,
        stop={"max_time": 1e12},
        record={"points_per_decade": 5, "metrics": ["margin"]},
    )
    columns = run_whole(run).points.columns
    margin, late = columns["margin"], columns["time"] > 1e3
    assert (margin[late] < largest).all()
    assert (np.diff(margin[late]) > 0).all()
    missing = (largest - margin[late]) * np.log(columns["time"][late])
    assert missing.max() / missing.min() < 1.4
    assert margin[-1] == pytest.approx(largest, rel=0.03)
