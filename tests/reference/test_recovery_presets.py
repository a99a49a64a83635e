"""Presets of recovery from small starts, over HTTP: each comes to the numbers that it says."""

import numpy as np
import pytest

from service.client.api import Rankward
from tests.helpers.presets import finished

SPECTRUM = np.array([8.0, 4.0, 2.0, 1.0])


def effective_rank(singular_values: np.ndarray) -> float:
    shares = singular_values / singular_values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def test_the_effective_rank_rests_at_those_of_the_best_approximations(client: Rankward):
    for run in finished(client, "chou_2020"):
        columns = client.trajectory(run["id"])["columns"]
        steps, ranks = np.log(np.array(columns["step"])[1:]), np.array(columns["effective_rank"])[1:]
        for rank in (1, 2, 4):
            plateau = effective_rank(SPECTRUM[:rank])
            near = np.abs(ranks - plateau) < 0.06
            assert np.ptp(steps[near]) > 0.15, (run["spec"]["model"]["depth"], plateau)
        assert run["summary"]["singular_values"][:4] == pytest.approx(SPECTRUM, rel=1e-3)


def test_smaller_starts_come_nearer_to_the_subspace_and_to_the_matrix(client: Rankward):
    runs = finished(client, "stoeger_2021")
    errors, angles = ([run["summary"][name] for run in runs] for name in ("reconstruction_error", "subspace_angle"))
    assert errors == pytest.approx([0.16, 5e-3, 2e-4], rel=0.5)
    assert angles == sorted(angles, reverse=True)
    assert angles[0] < 0.1
    assert angles[2] < 2e-4


def test_decaying_steps_on_l1_see_past_outliers(client: Rankward):
    ends = {}
    for run in finished(client, "ma_fattahi_2022"):
        rate = run["spec"]["optimizer"]["learning_rate"]
        loss = run["spec"]["loss"]
        ends[loss if isinstance(loss, str) else loss["kind"], isinstance(rate, dict)] = run["summary"][
            "reconstruction_error"
        ]
    assert ends["l1", True] < 2e-3
    assert 0.03 < ends["l1", False] < 0.15
    assert min(ends["mse", True], ends["mse", False]) > 1
