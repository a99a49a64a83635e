"""Presets of diagonal networks, over HTTP: where they end between the least l2 and the least l1 norm."""

import numpy as np
import pytest
from scipy.optimize import linprog

from service.client.api import Rankward
from tests.helpers.presets import finished
from workers.runs.observations import observe
from workers.runs.spec import RunSpec


def last(runs: list[dict], metric: str) -> np.ndarray:
    return np.array([run["summary"][metric] for run in runs])


def least_norms(run: dict) -> tuple[float, float]:
    """The least l2 norm of a solution, and the least l1 norm, by other programs."""
    observed = observe(RunSpec.model_validate(run["spec"]).problem)
    inputs, outputs = observed.tensors, observed.outputs[:, 0]
    halves = linprog(np.ones(2 * inputs.shape[1]), A_eq=np.hstack([inputs, -inputs]), b_eq=outputs)
    return float(np.linalg.norm(np.linalg.pinv(inputs) @ outputs)), halves.fun


def test_smaller_starts_go_from_the_least_l2_norm_to_the_least_l1_norm(client: Rankward):
    runs = finished(client, "woodworth_2020")
    assert {run["engine"] for run in runs} == {"fused"}
    least_l2, least_l1 = least_norms(runs[0])
    l2, l1, errors = last(runs, "frobenius_norm"), last(runs, "l1_norm"), last(runs, "reconstruction_error")
    assert l2[0] == pytest.approx(least_l2, rel=1e-5)
    assert l1[-1] == pytest.approx(least_l1, rel=5e-3)
    assert (np.diff(l2) > 0).all()
    assert (np.diff(l1) < 0).all()
    assert errors == pytest.approx([0.833, 0.832, 0.744, 0.408, 0.143, 0.0486, 0.00487], rel=0.01)


def test_a_shape_near_1_undoes_a_small_start(client: Rankward):
    runs = finished(client, "azulay_2021")
    errors = last(runs, "reconstruction_error").reshape(3, 4)
    assert (np.diff(errors, axis=1) > 0).all()
    assert (np.diff(errors, axis=0) < 0).all()
    expected = [[0.407, 0.488, 0.750, 0.832], [0.142, 0.180, 0.384, 0.743], [0.048, 0.062, 0.146, 0.406]]
    np.testing.assert_allclose(errors, expected, rtol=0.01)
    values, shapes = last_of_start(runs, "value"), last_of_start(runs, "shape")
    squares = values**2 * ((1 - shapes) / (1 + shapes) + (1 + shapes) / (1 - shapes))
    assert (np.diff(errors.ravel()[np.argsort(squares)]) > 0).all()


def last_of_start(runs: list[dict], name: str) -> np.ndarray:
    return np.array([run["spec"]["init"][name] for run in runs])
