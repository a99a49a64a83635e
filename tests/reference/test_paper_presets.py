"""The paper's experiments as presets, over HTTP: figure 1's values and the run of fifty million steps."""

from math import sqrt
from statistics import median

import numpy as np
import pytest

from service.client.api import Rankward

UNBALANCED = {2: (0.1, 2.6), 3: (2.0, 70.8), 4: (19.0, 70.8)}
"""Range over seeds of |W00| at loss 1e-4, by depth."""

BALANCED = {2: (7.6, 8.7), 3: (70.65, 70.75), 4: (70.65, 70.85)}


def least_unobserved_entry(loss):
    """The bound of the basic setting: every W with this loss and det W > 0 has |W00| at least this large."""
    s = 4 * loss / (1 + sqrt(1 + 8 * loss))
    return (1 - s) ** 1.5 / sqrt(s)


def finished(client: Rankward, preset: str) -> list[dict]:
    experiment = client.submit(client.preset(preset))
    assert client.wait(experiment["id"])["status"] == "succeeded"
    return list(client.runs(experiment["id"]))


@pytest.fixture(scope="module")
def figure_1(client: Rankward):
    return finished(client, "figure_1")


def test_figure_1_has_the_values_of_the_paper(figure_1):
    assert len(figure_1) == 60
    for run in figure_1:
        assert run["engine"] == "fused"
        assert run["outcome"] == "converged"
        least, most = (BALANCED if run["spec"]["init"]["balanced"] else UNBALANCED)[run["spec"]["model"]["depth"]]
        assert least <= abs(run["summary"]["unobserved_entry"]) <= most


@pytest.mark.parametrize("depth", [3, 4])
def test_a_smaller_start_stays_longer_on_the_curve(figure_1, depth):
    unbalanced = [
        run for run in figure_1 if run["spec"]["model"]["depth"] == depth and not run["spec"]["init"]["balanced"]
    ]
    larger, smaller = sorted({run["spec"]["init"]["std"] for run in unbalanced}, reverse=True)
    reached = {
        std: median(abs(run["summary"]["unobserved_entry"]) for run in unbalanced if run["spec"]["init"]["std"] == std)
        for std in (larger, smaller)
    }
    assert reached[smaller] > reached[larger]


def test_runs_share_one_curve_until_they_leave_it(figure_1, client: Rankward):
    """Balanced runs of depth 3 pass 1.52, 6.04, 19.6, 62.0 at loss 0.13, 0.013, 0.0013, 0.00013."""
    run = next(run for run in figure_1 if run["spec"]["model"]["depth"] == 3 and run["spec"]["init"]["balanced"])
    columns = client.trajectory(run["id"], metrics="loss,unobserved_entry,effective_rank")["columns"]
    for loss, expected in ((0.13, 1.52), (0.013, 6.04), (0.0013, 19.6), (0.00013, 62.0)):
        passed = np.interp(-np.log(loss), -np.log(columns["loss"]), np.log(np.abs(columns["unobserved_entry"])))
        assert np.exp(passed) == pytest.approx(expected, rel=0.02)
    for loss, entry in zip(columns["loss"], columns["unobserved_entry"], strict=True):
        if loss < 3 / 8:
            assert abs(entry) >= least_unobserved_entry(loss) * (1 - 1e-9)


def test_fifty_million_steps(client: Rankward):
    (run,) = finished(client, "fifty_million_steps")
    assert run["step"] == 50_000_000
    assert run["outcome"] == "budget_exhausted"
    assert run["summary"]["loss"] == pytest.approx(3.15e-5, rel=0.01)
    entry = abs(run["summary"]["unobserved_entry"])
    assert entry == pytest.approx(125.9, rel=0.01)
    assert entry / least_unobserved_entry(run["summary"]["loss"]) == pytest.approx(1, abs=1e-5)
