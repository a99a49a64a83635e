"""The presets of losses that are none of squares: the numbers that their descriptions state."""

import numpy as np
import pytest

from service.presets import get_preset
from tests.helpers.specs import run_whole
from workers.runs.spec import RunSpec
from workers.runs.sweeps import expand


def runs_of(preset):
    experiment = get_preset(preset)
    return [RunSpec.model_validate(swept.spec) for swept in expand(experiment["run"], experiment["sweep"])]


def test_depth_accelerates_fourth_powers_and_not_squares():
    results = [run_whole(run).progress[0] for run in runs_of("arora_2018_acceleration")]
    assert {result.outcome.value for result in results} == {"converged"}
    assert [result.checkpoint.step for result in results] == [16641, 7721, 6271, 15, 14, 53]


@pytest.mark.parametrize("number", [0, 1, 3])
def test_the_margin_goes_to_one(number):
    columns = run_whole(runs_of("logistic_margin")[number]).points.columns
    late = columns["time"] > 1e4
    assert (np.diff(columns["margin"][late]) > 0).all()
    missing = 1 - columns["margin"]
    assert (missing[late] > 0).all()
    assert missing[-1] == pytest.approx(0.0091 if number == 1 else 0.0067, rel=0.02)


def test_components_rise_one_at_a_time_under_huber():
    """Each to its size, while the next is a thousandth of it; the target has three."""
    (run,) = (run for run in runs_of("razin_2021_huber") if getattr(run.loss, "delta", None) == 1)
    columns = run_whole(run).points.columns
    norms = -np.sort(-columns["component_norms"], axis=1)
    assert norms[-1, :3] == pytest.approx([26.6, 10.3, 8.8], rel=0.01)
    assert norms[-1, 3] < 1e-2
    first, second, third = (int(np.argmax(norms[:, place] > 1)) for place in range(3))
    assert 0 < first < second < third
    assert norms[second - 5, 0] > 25
    assert norms[first, 1] < 1e-3
    assert norms[second, 2] < 1e-3
