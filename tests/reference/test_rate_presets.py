"""Presets of rates and weight decays, over HTTP: each comes to the numbers that it says."""

import pytest

from service.client.api import Rankward
from tests.helpers.presets import finished

CAPPED = {(2, 1e-3): 9.90000002, (2, 1e-2): 4.42614538, (2, 1e-1): 1.69027580}
CAPPED |= {(3, 1e-3): 13.2601719, (3, 1e-2): 5.44485948, (3, 1e-1): 1.93828669}
KEPT = {2: (2.9, 0.9, 0.1), 3: (2.9301169775, 0.8962825859, 0.0), 4: (2.9416956266, 0.8942525493, 0.0)}


def test_decay_caps_the_norm(client: Rankward):
    for run in finished(client, "decay_caps_the_norm"):
        weight, depth = run["spec"]["optimizer"]["weight_decay"], run["spec"]["model"]["depth"]
        theory = client.theory(run["id"])
        entry = run["summary"]["unobserved_entry"]
        if weight == 0:
            assert entry > 20
            assert theory["predicted_limit"] == "Infinity"
            assert theory["weight_decay"] is None
            continue
        assert entry == pytest.approx(CAPPED[depth, weight], rel=1e-7)
        assert theory["predicted_limit"] == pytest.approx(entry, rel=1e-9)
        assert theory["tightness_law"] is None
        assert theory["stability_limit"] is None
        decay = theory["weight_decay"]
        assert decay["penalty"] == pytest.approx(decay["least_penalty"], rel=1e-9)
        assert decay["stationary_point"]["unobserved_entry"] == theory["predicted_limit"]


def test_decay_is_a_schatten_quasi_norm(client: Rankward):
    for run in finished(client, "jacot_2021_schatten"):
        depth = run["spec"]["model"]["depth"]
        assert run["summary"]["singular_values"] == pytest.approx(KEPT[depth], rel=1e-9, abs=1e-10)
        theory = client.theory(run["id"])
        assert not theory["applies"]
        assert theory["weight_decay"]["schatten_exponent"] == 2 / depth
        assert theory["weight_decay"]["penalty"] == pytest.approx(theory["weight_decay"]["least_penalty"], rel=1e-9)
        assert theory["weight_decay"]["thresholds"]["local_from"] > 0


def test_the_sign_of_the_gradient_ends_elsewhere(client: Rankward):
    for run in finished(client, "sign_against_gradient"):
        assert run["engine"] == "fused"
        rank, error = (run["summary"][name] for name in ("effective_rank", "reconstruction_error"))
        if run["spec"]["optimizer"]["kind"] == "adam":
            assert rank > 3
            assert error > 0.15
        else:
            assert 2 < rank < 2.15
            assert error < 0.03


def test_polyak_steps(client: Rankward):
    expected = {5: (0.095533831, 2.0625199), 10: (0.032117693, 3.7073161), 20: (0.020477866, 5.7589384)}
    for run in finished(client, "polyak_steps"):
        if isinstance(run["spec"]["optimizer"]["learning_rate"], float) or run["spec"]["model"]["depth"] != 2:
            continue
        columns = client.trajectory(run["id"])["columns"]
        for step, (loss, entry) in expected.items():
            at = columns["step"].index(step)
            assert columns["loss"][at] == pytest.approx(loss, rel=3e-7)
            assert abs(columns["unobserved_entry"][at]) == pytest.approx(entry, rel=1e-7)
            assert columns["time"][at] > columns["time"][at - 1]


def test_the_rank_that_adam_finds_does_not_fall_with_its_momentum(client: Rankward):
    runs = finished(client, "adam_momentum_and_rank")
    assert {run["spec"]["optimizer"]["kind"] for run in runs} == {"adam"}
    assert len({run["spec"]["optimizer"]["beta_1"] for run in runs}) == 6
    for run in runs:
        least, most = {2: (2.7, 3.6), 3: (1.9, 2.0)}[run["spec"]["model"]["depth"]]
        assert least < run["summary"]["effective_rank"] < most
