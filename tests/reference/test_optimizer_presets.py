"""Presets of optimisers, over HTTP: each comes to the numbers that it says."""

import numpy as np
import pytest

from service.client.api import Rankward
from tests.helpers.presets import finished

OF_NUMBERS = ("adam", "signum", "lion", "rmsprop")


def name_of(run):
    optimizer = run["spec"]["optimizer"]
    return "shared adam" if optimizer.get("shared_scale") else optimizer["kind"]


def test_what_scales_single_numbers_misses_the_rank(client: Rankward):
    for run in finished(client, "singh_2026"):
        name, rank, error = name_of(run), run["summary"]["effective_rank"], run["summary"]["reconstruction_error"]
        said = client.theory(run["id"])["factorisation"]["is_respected"]
        assert said == (name not in OF_NUMBERS)
        if name == "muon":
            assert 6 < rank < 9, name
        elif said:
            assert rank < 3.2, name
            assert error < 0.15, name
        else:
            assert rank > 5.5, name
            assert error > 0.35, name


def test_mirror_descent_comes_to_a_small_nuclear_norm_and_descent_to_a_low_rank(client: Rankward):
    *runs, baseline = finished(client, "wu_rebeschini_2021")
    assert baseline["spec"]["model"]["kind"] == "nuclear_norm"
    norms, ranks, errors = (
        np.array([run["summary"][name] for run in runs]).reshape(2, 3)
        for name in ("nuclear_norm", "effective_rank", "reconstruction_error")
    )
    for fallen in (norms, ranks, errors):
        assert (np.diff(fallen, axis=1) < 0).all()
    assert norms[0] == pytest.approx([5.86, 5.27, 5.16], abs=0.02)
    assert baseline["summary"]["nuclear_norm"] < norms[0, 2] < norms[1, 2]
    assert ranks[1, 2] < baseline["summary"]["effective_rank"] < ranks[0, 2]
    assert errors[1, 2] < baseline["summary"]["reconstruction_error"] < errors[0, 2]


def test_spectral_descent_learns_the_smallest_mode_first(client: Rankward):
    descent, spectral, _ = finished(client, "spectral_descent")
    descended, modes = (
        np.array(client.trajectory(run["id"])["columns"]["singular_values"]) for run in (descent, spectral)
    )
    assert modes[50][:2] == pytest.approx([0.251001, 0.251001], rel=1e-9)
    halves = [
        [int(np.argmax(values[:, mode] > s / 2)) for mode, s in enumerate((4, 1))] for values in (descended, modes)
    ]
    assert halves[0][0] < halves[0][1]
    assert halves[1][0] > halves[1][1]
