"""Presets of noise, over HTTP: each comes to the numbers that it says."""

import numpy as np
import pytest

from service.client.api import Rankward
from tests.helpers.presets import finished

# With weight decay lambda a singular value s is kept as sigma with sigma - s + lambda sigma^(2/L - 1) = 0.
QUIET = {0.0: (3.0, 1.0, 0.6, 0.45), 0.1: (2.9301169775, 0.8962825859, 0.4715207270, 0.3007429523)}


def test_noise_lowers_the_rank_and_never_raises_it(client: Rankward):
    runs = finished(client, "noise_lowers_the_rank")
    assert len(runs) == 16
    for run in runs:
        weight, std = run["spec"]["optimizer"]["weight_decay"], run["spec"]["optimizer"]["noise"]["std"]
        last = run["summary"]["singular_values"]
        if std == 0:
            assert last == pytest.approx(QUIET[weight], rel=1e-9)
            continue
        least = np.array(client.trajectory(run["id"])["columns"]["singular_values"])[:, -1]
        if weight == 0:
            assert last[-1] > 0.05
            continue
        assert last[-1] < 1e-9
        assert last[-2] > 0.05
        gone = int(np.argmax(least < 1e-3))
        assert (least[gone:] < 1e-3).all()
        assert run["engine"] == "fused"
