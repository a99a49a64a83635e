"""Diagonal networks against numbers that were computed with numpy and scipy, by other programs than this one."""

import numpy as np
import pytest

from tests.helpers.specs import run_whole
from workers.runs.spec import RunSpec

INPUTS, OUTPUTS = [[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]], [1.0, 1.0]
PROBLEM = {"kind": "regression", "inputs": INPUTS, "outputs": OUTPUTS}
FLOW = {"optimizer": {"kind": "gradient_flow", "rtol": 1e-11, "atol": 1e-14}, "record": {"points_per_decade": 1}}
FLOW |= {"stop": {"max_time": 1e4, "loss_below": 1e-26}}
LEAST_L2 = np.array([1.0, 7.0, 4.0]) / 11
LEAST_L1 = np.array([0.0, 2.0, 1.0]) / 3

LIMITS = {
    10.0: (0.0909088553, 0.6363637149, 0.3636362851),
    1.0: (0.0886557812, 0.6371147396, 0.3628852604),
    0.3: (0.0360022945, 0.6546659018, 0.3453340982),
    0.1: (0.0046103849, 0.6651298717, 0.3348701283),
    0.01: (0.0000466173, 0.6666511276, 0.3333488724),
}
"""Of the flow of u^2 - v^2 from u = v = alpha: the solutions of least Q_alpha (Woodworth et al. 2020)."""


def spec(model, init, **parts):
    run = {"problem": PROBLEM, "model": {"kind": "diagonal", "depth": 2} | model, "init": init} | parts
    run["record"] = {**run["record"], "entries": [[0, 0], [0, 1], [0, 2]]}
    return RunSpec.model_validate(run)


def limit(model, init):
    columns = run_whole(spec(model, init, **FLOW)).points.columns
    assert columns["loss"][-1] < 1e-25
    return columns["entries"][-1]


@pytest.mark.parametrize(("alpha", "expected"), LIMITS.items())
def test_the_flow_of_a_difference_of_squares_ends_at_the_minimiser_of_q(alpha, expected):
    np.testing.assert_allclose(limit({}, {"kind": "constant", "value": alpha}), expected, atol=2e-8)


def test_a_large_start_ends_near_the_least_l2_norm_and_a_small_one_near_the_least_l1_norm():
    large, small = (limit({}, {"kind": "constant", "value": alpha}) for alpha in (10.0, 0.01))
    np.testing.assert_allclose(large, LEAST_L2, atol=1e-6)
    np.testing.assert_allclose(small, LEAST_L1, atol=1e-4)


@pytest.mark.parametrize("shape", [0.0, 0.5, 0.9])
def test_the_limit_depends_on_the_sum_of_the_squares_of_a_pair_alone(shape):
    """The shape of a start and its scale: u0^2 + v0^2 = 0.02 whatever the shape (Azulay et al. 2021)."""
    ratio = (1 - shape) / (1 + shape)
    init = {"kind": "constant", "value": (0.02 / (ratio + 1 / ratio)) ** 0.5, "shape": shape}
    np.testing.assert_allclose(limit({"form": "difference_of_products"}, init), LIMITS[0.1], atol=2e-8)


def test_a_difference_of_squares_descends_as_the_square_of_a_diagonal_matrix_of_twice_the_size():
    rows = [np.diag([*row, *(-number for number in row)]).tolist() for row in INPUTS]
    measured = [{"tensor": row, "value": output} for row, output in zip(rows, OUTPUTS, strict=True)]
    factor = (0.1 * np.eye(6)).tolist()
    descent = {"stop": {"max_steps": 300}, "record": {"every": 300}}
    ours = spec(
        {},
        {"kind": "constant", "value": 0.1},
        **descent,
        optimizer={"kind": "gradient_descent", "learning_rate": 0.05},
    )
    theirs = RunSpec.model_validate(
        descent
        | {
            "problem": {"kind": "sensing", "shape": [6, 6], "measurements": measured},
            "model": {"kind": "deep_matrix", "depth": 2},
            "init": {"kind": "explicit", "factors": [factor, factor]},
            "optimizer": {"kind": "gradient_descent", "learning_rate": 0.1},
        }
    )
    u, v = np.split(run_whole(ours).progress[0].checkpoint.state, 2)
    squares = np.split(run_whole(theirs).progress[0].checkpoint.state, 2)
    for factor in squares:
        np.testing.assert_allclose(factor.reshape(6, 6), np.diag([*u, *v]), atol=1e-15)


def test_the_gain_is_the_sum_over_steps():
    """Rates of 0.3 on gradients X^T r / 2, which are rates of 0.15 on those of half the sum of squares."""
    start = {"kind": "explicit", "factors": {"u1": [2**0.5 * 0.1] * 3, "u2": [0.0] * 3}}
    run = spec(
        {"form": "product"},
        start,
        optimizer={"kind": "gradient_descent", "learning_rate": 0.15},
        stop={"max_steps": 4000},
        record={"every": 4000, "metrics": ["gain"]},
    )
    columns = run_whole(run).points.columns
    np.testing.assert_allclose(columns["entries"][-1], (0.0043358003, 0.6652213999, 0.3347786001), atol=1e-10)
    np.testing.assert_allclose(columns["gain"][-1], (0.1254197535, 1.1638070166, 0.1467378494), atol=1e-9)
    np.testing.assert_array_equal(columns["gain"][0], 0.0)
    u, v = np.full(3, 2**0.5 * 0.1), np.zeros(3)
    inputs, outputs, summed = np.array(INPUTS), np.array(OUTPUTS), np.zeros(3)
    for _ in range(4000):
        slope = 0.15 * inputs.T @ (inputs @ (u * v) - outputs)
        summed -= np.log(np.abs(1 - slope**2))
        u, v = u - slope * v, v - slope * u
    np.testing.assert_allclose(columns["gain"][-1], summed, atol=1e-9)


@pytest.mark.parametrize(
    ("model", "init", "words"),
    [
        ({"depth": 3}, {"kind": "constant", "value": 0.1, "shape": 0.5}, "this diagonal has none"),
        ({}, {"kind": "constant", "value": 0.1, "shape": 0.5}, "this diagonal has none"),
        ({"form": "product"}, {"kind": "constant", "value": 0.1, "shape": 1.0}, "less than 1"),
        ({}, {"kind": "gaussian", "std": 0.1, "std_of": "product"}, "give the std of a factor"),
        ({}, {"kind": "identity", "scale": 0.1}, "use a gaussian"),
    ],
)
def test_what_a_diagonal_network_has_not_is_refused(model, init, words):
    with pytest.raises(ValueError, match=words):
        spec(model, init, **FLOW)
    wide = {"kind": "low_rank_completion", "shape": [2, 3], "rank": 1, "observed": 3}
    with pytest.raises(ValueError, match="give it a single row"):
        spec({}, {"kind": "constant", "value": 0.1}, **FLOW | {"problem": wide})
