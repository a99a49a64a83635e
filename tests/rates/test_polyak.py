"""Polyak's rate: the numbers of a hand calculation, the time that a state carries, and gradients of zero."""

from math import fsum

import numpy as np
import pytest

from tests.helpers.specs import run_whole, spec
from workers.records import Outcome

POLYAK = {"kind": "gradient_descent", "learning_rate": {"kind": "polyak"}}
SCALAR = {
    "problem": {"kind": "completion", "shape": [1, 1], "observations": [{"index": [0, 0], "value": 1.0}]},
    "model": {"kind": "deep_matrix", "depth": 2},
}
LOSSES = (0.0274658203, 0.0063510152, 0.0015377354, 0.0003788118)
BASIC = {
    2: {1: (0.3927002, 0.5), 2: (0.23330739, 1.3621951), 5: (0.095533831, 2.0625199), 10: (0.032117693, 3.7073161)},
    3: {1: (0.30082027, 0.75462963), 2: (0.2285324, 1.1985273), 5: (0.08160499, 2.0030834)},
}
BASIC[2][20], BASIC[3][20] = (0.020477866, 5.7589384), (0.0016773257, 4.253641)
BASIC[3][10] = (0.056236454, 3.4451699)
both_engines = pytest.mark.parametrize("engine", ["torch", "fused"])


@both_engines
def test_the_loss_of_a_product_of_two_numbers(engine):
    start = {"kind": "explicit", "factors": [[[0.5]], [[0.5]]]}
    run = spec(**SCALAR, init=start, optimizer=POLYAK, stop={"max_steps": 4}, record={"every": 1}, engine=engine)
    columns = run_whole(run).points.columns
    assert columns["loss"][1:] == pytest.approx(LOSSES, rel=2e-7)
    rates = columns["loss"][:-1] / columns["gradient_norm"][:-1] ** 2
    assert columns["time"] == pytest.approx([fsum(rates[:step]) for step in range(5)], rel=1e-13)


@both_engines
@pytest.mark.parametrize("depth", BASIC)
def test_the_basic_setting(engine, depth):
    """Chaotic later on, so compared up to step 20 only."""
    parts = {"model": {"kind": "deep_matrix", "depth": depth}, "init": {"kind": "identity", "scale": 0.5}}
    run = spec(**parts, optimizer=POLYAK, stop={"max_steps": 20}, record={"every": 1}, engine=engine)
    columns = run_whole(run).points.columns
    for step, (loss, entry) in BASIC[depth].items():
        assert columns["loss"][step] == pytest.approx(loss, rel=3e-7)
        assert columns["unobserved_entry"][step] == pytest.approx(entry, rel=1e-7)


@both_engines
@pytest.mark.parametrize("minimum", [0.0, 0.1])
def test_a_gradient_of_zero_and_a_loss_at_the_minimum_move_nothing(engine, minimum):
    """Zero factors are a saddle; the run stands still to its end, and no time passes."""
    start = [[[0.0]], [[0.0]]] if not minimum else [[[1.0]], [[0.8]]]
    optimizer = {"kind": "gradient_descent", "learning_rate": {"kind": "polyak", "minimum": minimum}}
    init = {"kind": "explicit", "factors": start}
    run = spec(**SCALAR, init=init, optimizer=optimizer, stop={"max_steps": 9}, record={"every": 1}, engine=engine)
    result = run_whole(run)
    assert result.progress[0].outcome == Outcome.BUDGET_EXHAUSTED
    assert result.progress[0].checkpoint.state.tolist()[:2] == [start[0][0][0], start[1][0][0]]
    assert result.progress[0].summary["time"] == 0
    assert np.isfinite(result.points.columns["loss"]).all()


@both_engines
def test_the_rate_is_at_most_what_is_said(engine):
    optimizer = {"kind": "gradient_descent", "learning_rate": {"kind": "polyak", "most": 0.01}}
    run = spec(init={"kind": "identity", "scale": 0.5}, optimizer=optimizer, stop={"max_steps": 50}, engine=engine)
    assert run_whole(run).progress[0].summary["time"] == pytest.approx(0.5, rel=1e-14)


@both_engines
def test_with_coupled_decay_it_follows_the_objective(engine):
    optimizer = POLYAK | {"weight_decay": 0.2}
    start = {"kind": "explicit", "factors": [[[0.5]], [[0.7]]]}
    run = spec(**SCALAR, init=start, optimizer=optimizer, stop={"max_steps": 1}, record={"every": 1}, engine=engine)
    residual = 0.5 * 0.7 - 1
    slopes = np.array([residual * 0.7 + 0.2 * 0.5, residual * 0.5 + 0.2 * 0.7])
    rate = (residual**2 / 2 + 0.1 * (0.5**2 + 0.7**2)) / (slopes @ slopes)
    result = run_whole(run)
    assert result.progress[0].summary["time"] == pytest.approx(rate, rel=1e-14)
    assert result.progress[0].checkpoint.state[:2] == pytest.approx(np.array([0.5, 0.7]) - rate * slopes, rel=1e-13)
