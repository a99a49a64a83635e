"""Presets of drawn data, over HTTP: each comes to the numbers that it says."""

import numpy as np
import pytest

from service.client.api import Rankward
from tests.helpers.presets import finished


def of_summaries(runs: list[dict], metric: str) -> list[float]:
    return [run["summary"][metric] for run in runs]


def test_smaller_starts_and_deeper_models_complete_better(client: Rankward):
    errors = np.array(of_summaries(finished(client, "arora_2019_init"), "reconstruction_error")).reshape(2, 3)
    assert (np.diff(errors, axis=1) < 0).all()
    assert (errors[1] < errors[0]).all()
    assert errors[:, 0] == pytest.approx([0.57, 0.25], rel=0.05)
    assert errors[0, 2] == pytest.approx(0.047, rel=0.05)
    assert errors[1, 2] < 5e-3


def test_depth_finds_the_rank(client: Rankward):
    ranks = of_summaries(finished(client, "arora_2019_depth"), "effective_rank")
    assert ranks == pytest.approx([26.5, 5.2, 3.2], rel=0.02)


def test_beyond_the_edge_the_largest_mode_alone_oscillates(client: Rankward):
    below, beyond, *_ = finished(client, "ghosh_2025")
    assert below["summary"]["entries"] == pytest.approx([3, 2, 1], abs=1e-6)
    largest, *others = np.array(client.trajectory(beyond["id"])["columns"]["entries"])[-2:].T
    assert sorted(largest) == pytest.approx([2.506, 3.403], abs=1e-3)
    assert np.array(others) == pytest.approx(np.array([[2, 2], [1, 1]]), abs=1e-6)


FAST_RATES = {"optimizer.learning_rate": [0.07, 0.1]}


@pytest.mark.parametrize("rates", [FAST_RATES, pytest.param({}, marks=pytest.mark.long)], ids=["fast", "all"])
def test_sharpness_ends_below_two_over_the_rate(client: Rankward, rates: dict[str, list[float]]):
    ends: dict[float, list[float]] = {}
    for run in finished(client, "marion_chizat", **rates):
        if run["outcome"] != "diverged":
            rate = run["spec"]["optimizer"]["learning_rate"]
            ends.setdefault(rate, []).append(run["summary"]["sharpness"])
    assert all(max(sharpness) < 2 / rate for rate, sharpness in ends.items())
    assert max(ends[0.1]) == pytest.approx(19.98, abs=0.02)
    assert max(ends[0.07]) == pytest.approx(28.4, abs=0.2)


def test_orthogonal_starts_learn_as_fast_at_every_depth(client: Rankward):
    orthogonal, small = {}, {}
    for run in finished(client, "saxe_2014", seed=[0]):
        times = orthogonal if run["spec"]["init"]["kind"] == "orthogonal" else small
        times[run["spec"]["model"]["depth"]] = run["summary"]["first_step_below"]["1e-1"]
    assert orthogonal == {2: 202, 4: 241, 8: 71}
    assert small == {2: 484, 4: 1349, 8: 2136}


def test_singular_values_rise_one_by_one(client: Rankward):
    (run,) = finished(client, "razin_2022_matrix")
    assert run["summary"]["singular_values"][:6] == pytest.approx([36.6, 32.7, 28.1, 23.7, 18.3, 0], abs=0.1)
    columns = client.trajectory(run["id"])["columns"]
    # At the floor of single precision the rate of RMSprop grows until a step throws the run off: last digits say when.
    assert min(columns["reconstruction_error"]) < 1e-5
    assert run["summary"]["reconstruction_error"] < 1e-2
    values = np.array(columns["singular_values"])
    halfway = [np.flatnonzero(values[:, i] > values[-1, i] / 2)[0] for i in range(5)]
    assert halfway == sorted(halfway)
    assert halfway[0] < halfway[4]


def test_components_rise_one_by_one(client: Rankward):
    (run,) = finished(client, "razin_2022_tensor")
    assert run["summary"]["component_norms"][:6] == pytest.approx([42.9, 32.5, 28.8, 19.1, 12.5, 0], abs=0.2)
    assert run["summary"]["test_loss"] < 1e-4


def test_descent_slows_down_with_the_condition_number_and_scaled_gradients_do_not(client: Rankward):
    runs = finished(client, "tong_2021")
    plain, scaled = runs[::2], runs[1::2]
    assert [run["step"] for run in plain] == pytest.approx([142, 433, 957, 1000], abs=5)
    assert [run["outcome"] for run in plain] == ["converged", "converged", "converged", "budget_exhausted"]
    assert {run["spec"]["optimizer"]["kind"] for run in scaled} == {"scaled_gradient_descent"}
    assert {run["outcome"] for run in scaled} == {"converged"}
    steps = [run["step"] for run in scaled]
    assert max(steps) < 1.5 * min(steps) < 300


@pytest.mark.long
def test_deeper_products_learn_singular_values_one_by_one(client: Rankward):
    errors = of_summaries(finished(client, "gissin_2020"), "reconstruction_error")
    assert errors[0] > 0.3
    assert errors == sorted(errors, reverse=True)
