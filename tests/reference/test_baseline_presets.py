"""Presets of baselines beside descents, over HTTP: each comes to the numbers that it says."""

import numpy as np
import pytest

from service.client.api import Rankward
from tests.helpers.presets import finished


def test_descent_passes_the_greedy_matrices_the_nearer_the_smaller_its_start(client: Rankward):
    nearest: dict[tuple[int, float], list[float]] = {}
    greedy, descents = {}, []
    for run in finished(client, "li_2021_greedy"):
        sizes = np.array(client.trajectory(run["id"])["columns"]["singular_values"])
        seed, model = run["spec"]["problem"]["seed"], run["spec"]["model"]
        if model["kind"] == "greedy_low_rank":
            assert run["summary"]["singular_values"][:3] == pytest.approx([9, 3, 1], rel=1e-4)
            assert run["summary"]["stationarity"] <= 1e-7
            greedy[seed] = sizes
        else:
            descents.append((seed, (model["depth"], run["spec"]["init"]["std"]), sizes))
    for seed, start, sizes in descents:
        assert len(greedy[seed]) == 4
        for rank in (1, 2, 3):
            aim = greedy[seed][rank]
            nearest.setdefault(start, []).append(np.linalg.norm(sizes - aim, axis=1).min() / np.linalg.norm(aim))
    furthest = {start: max(distances) for start, distances in nearest.items()}
    assert furthest[2, 1e-6] < 5e-3
    assert furthest[3, 1e-2] < 2e-3
    assert furthest[2, 1e-6] < furthest[2, 1e-3] < 0.05
    assert min(nearest[2, 0.1]) > 0.08


def test_soft_impute_comes_to_the_least_nuclear_norm_as_its_penalty_falls(client: Rankward):
    errors: dict[tuple[str, int], float] = {}
    norms: dict[tuple[str, int], float] = {}
    for run in finished(client, "soft_impute_against_descent"):
        model, observed = run["spec"]["model"], run["spec"]["problem"]["observed"]
        name = f"{model['kind']} {model.get('depth') or model.get('penalty') or ''}".strip()
        errors[name, observed] = run["summary"]["reconstruction_error"]
        norms[name, observed] = run["summary"]["nuclear_norm"]
        if model["kind"] == "soft_impute":
            assert run["summary"]["duality_gap"] < 1e-5
            assert run["summary"]["stationarity"] < 1e-8
    for observed in (120, 200, 300):
        assert norms["soft_impute 1.0", observed] < norms["soft_impute 0.02", observed]
        assert norms["soft_impute 0.02", observed] == pytest.approx(norms["nuclear_norm", observed], rel=0.01)
        assert errors["soft_impute 0.02", observed] == pytest.approx(errors["nuclear_norm", observed], abs=2e-3)
        assert errors["soft_impute 1.0", observed] > 0.1
    assert errors["deep_matrix 3", 120] < 0.1 < 0.35 < min(errors["deep_matrix 2", 120], errors["nuclear_norm", 120])
    assert errors["deep_matrix 3", 200] < 1e-3 < errors["deep_matrix 2", 200] < 0.05 < errors["nuclear_norm", 200]
