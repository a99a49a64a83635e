"""Presets of phases, over HTTP: each comes to the numbers that it says."""

from itertools import pairwise

import pytest

from service.client.api import Rankward
from tests.helpers.presets import finished

ENDS = {0: 0.769136, 30: 2.245605, 60: 2.701249, 100: 3.027213, 300: 4.034591, 1000: 4.294290, 3000: 4.423003}
"""Test loss of the second task at depth 2, by the step of the switch."""
HELD = {(2, 1e-2): 4.42614538, (2, 3e-2): 2.90757470, (2, 1e-1): 1.69027580}
HELD |= {(3, 1e-2): 5.44485948, (3, 3e-2): 3.45350736, (3, 1e-1): 1.93828669}


def test_a_later_switch_costs_more(client: Rankward):
    losses: dict[int, dict[int, float]] = {1: {}, 2: {}, 3: {}}
    for run in finished(client, "kleinman_2024"):
        switch = run["spec"]["stop"]["max_steps"]
        assert run["step"] == switch + 6000
        assert run["summary"]["loss"] < 1e-3  # both tasks are learnt, as far as they were observed
        assert run["summary"]["target_rank"] == 2
        losses[run["spec"]["model"]["depth"]][switch] = run["summary"]["test_loss"]
    assert losses[2] == pytest.approx(ENDS, rel=1e-3)
    assert all(sooner < later for sooner, later in pairwise(losses[2].values()))
    assert losses[3][0] < 1e-3
    assert all(losses[3][switch] > 0.02 for switch in (300, 1000, 3000))
    assert all(loss == pytest.approx(54.425496, rel=1e-6) for loss in losses[1].values())


def test_what_decay_held_grows_once_it_is_off(client: Rankward):
    for run in finished(client, "decay_switched_off"):
        weight, depth = run["spec"]["optimizer"]["weight_decay"], run["spec"]["model"]["depth"]
        columns = client.trajectory(run["id"])["columns"]
        at = columns["step"].index(20000)
        assert columns["phase"][at : at + 2] == [0, 1]
        assert columns["unobserved_entry"][at] == pytest.approx(HELD[depth, weight], rel=1e-7)
        assert 28 < run["summary"]["unobserved_entry"] < 40
        theory = client.theory(run["id"])
        assert theory["predicted_limit"] == pytest.approx(HELD[depth, weight], rel=1e-7)
        assert theory["silent_after"] == 20000
