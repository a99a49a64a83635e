"""Presets of noise in diagonal networks, over HTTP: where label noise, gradient noise and single samples lead them."""

from typing import Any

import numpy as np
import pytest

from service.client.api import Rankward
from tests.helpers.presets import finished


def last(runs: list[dict[str, Any]], metric: str, *shape: int) -> np.ndarray:
    return np.array([run["summary"][metric] for run in runs]).reshape(shape)


def test_label_noise_comes_near_the_sparse_target(client: Rankward):
    runs = finished(client, "haochen_2021")
    descent, labels, gradients = last(runs, "reconstruction_error", 3, 4)
    assert descent == pytest.approx([0.8319] * 4, rel=1e-3)
    assert labels == pytest.approx([0.0491, 0.0453, 0.0577, 0.0605], rel=0.05)
    assert gradients == pytest.approx([1.682, 1.511, 1.720, 1.820], rel=0.05)
    norms = last(runs, "l1_norm", 3, 4)
    assert norms[0] == pytest.approx([8.241] * 4, rel=1e-3)
    assert norms[1] == pytest.approx([4.060, 4.020, 3.945, 4.035], rel=0.01)


def test_single_samples_end_sparser_the_larger_the_rate(client: Rankward):
    runs = finished(client, "pesme_2021")
    all_samples, singles = last(runs, "l1_norm", 2, 7, 4)
    for column in all_samples.T:
        assert column == pytest.approx([2.36581, 2.36758, 2.36922, 2.37083, 2.37242, 2.37399, 2.37554], rel=1e-4)
    assert (np.diff(singles, axis=0) < 0).all()
    assert singles.mean(axis=1) == pytest.approx([2.3458, 2.3251, 2.3000, 2.2648, 2.2116, 2.1142, 2.0048], rel=5e-3)
    assert (singles > 1.98198).all()  # the target's, which is the least l1 norm of a solution
    by_all, by_singles = last(runs, "test_loss", 2, 7, 4)
    assert by_all[:, 0] == pytest.approx([0.16832, 0.16952, 0.17066, 0.17179, 0.17289, 0.17397, 0.17503], rel=1e-3)
    assert (np.diff(by_singles, axis=0) < 0).all()
    assert (by_singles[-1] < 2e-3).all()


def test_rates_that_stay_large_for_longer_end_sparser(client: Rankward):
    runs = finished(client, "andriushchenko_2023")
    errors = last(runs, "reconstruction_error", 4, 3)
    assert errors.mean(axis=1) == pytest.approx([0.3960, 0.2005, 0.1442, 0.0817], rel=0.1)
    assert (errors[1:].max(axis=1) < errors[:-1].min(axis=1)).all()
    norms = last(runs, "l1_norm", 4, 3)
    assert norms.mean(axis=1) == pytest.approx([20.319, 17.784, 17.188, 16.900], rel=0.01)
