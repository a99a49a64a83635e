"""Presets of named multilinear forms, over HTTP: each comes to the numbers that it says."""

import numpy as np
import pytest

from service.client.api import Rankward
from tests.helpers.presets import finished


def test_smaller_starts_of_a_tubal_product_come_nearer_to_the_tensor(client: Rankward):
    runs = finished(client, "karnik_2024")
    errors = [run["summary"]["reconstruction_error"] for run in runs]
    assert errors == pytest.approx([0.87, 0.15, 0.016], rel=0.1)
    assert all(run["summary"]["loss"] < 1e-5 for run in runs)


def test_what_is_added_to_a_fixed_matrix_has_low_rank_by_itself(client: Rankward):
    errors = {}
    for run in finished(client, "yaras_2024_adaptation"):
        model = run["spec"]["model"]
        errors[model["kind"], model["depth"]] = run["summary"]["reconstruction_error"]
    assert errors["offset", 2] == pytest.approx(9e-3, rel=0.2)
    assert errors["offset", 3] == pytest.approx(4.5e-4, rel=0.2)
    assert errors["deep_matrix", 2] > 0.3


def test_smaller_starts_of_a_tucker_factorisation_end_with_lower_ranks(client: Rankward):
    summaries = [run["summary"] for run in finished(client, "hariz_2022")]
    errors = [summary["reconstruction_error"] for summary in summaries]
    assert errors == pytest.approx([0.094, 0.011, 0.007], rel=0.2)
    ranks = [max(summary["matricisation_effective_ranks"]) for summary in summaries]
    assert ranks == pytest.approx([2.55, 2.03, 1.96], abs=0.1)


def test_a_matrix_is_completed_long_after_it_is_fitted_and_later_from_a_larger_start(client: Rankward):
    halved = []
    for run in finished(client, "lyu_2024_grokking"):
        columns = client.trajectory(run["id"])["columns"]
        times, losses, errors = (np.array(columns[name]) for name in ("time", "loss", "reconstruction_error"))
        fitted = times[np.argmax(losses < 1e-3)]
        assert fitted < 0.4
        plateau = errors[np.searchsorted(times, 1.0)]
        assert plateau == pytest.approx(0.62, abs=0.02)
        halved.append(times[np.argmax((errors < plateau / 2) & (times > 1))])
        assert errors[-1] == pytest.approx(0.06, abs=0.005)
    assert halved == pytest.approx([21.5, 28.1], rel=0.05)
    assert halved[1] - halved[0] == pytest.approx(np.log(2) / 0.1, rel=0.15)


def test_components_of_the_root_of_a_tree_rise_one_at_a_time(client: Rankward):
    (run,) = finished(client, "razin_2022_hierarchical")
    columns = client.trajectory(run["id"])["columns"]
    steps, errors, norms = (np.array(columns[name]) for name in ("step", "reconstruction_error", "component_norms"))
    first, second, third = (steps[np.argmax(norms[:, number] > 1.5)] for number in range(3))
    assert 0 < first < 700
    assert 2 * first < second < 4000
    assert 1.5 * second < third
    assert errors[np.searchsorted(steps, 1000)] == pytest.approx(0.505, abs=0.03)
    assert errors[np.searchsorted(steps, 5000)] == pytest.approx(0.23, abs=0.03)
    assert errors[-1] < 0.12
    assert norms[-1, 3] < 0.3
