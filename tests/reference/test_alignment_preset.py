"""The preset of figure 3 of Arora, Cohen, Hu and Luo (2019), smaller: what it must show."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.helpers.specs import run_whole
from workers.runs.spec import RunSpec
from workers.runs.sweeps import expand

PRESET = Path(__file__).parents[2] / "service" / "presets" / "arora_2019_alignment.yaml"
ERRORS = {1: 0.676, 2: 0.093, 3: 0.004}
"""Reconstruction errors at the end, by depth."""


@cache
def columns_of(depth):
    experiment = yaml.safe_load(PRESET.read_text())["experiment"]
    runs = [RunSpec.model_validate(one.spec) for one in expand(experiment["run"], experiment["sweep"])]
    return run_whole(next(run for run in runs if run.depth == depth)).points.columns


@pytest.mark.parametrize("depth", ERRORS)
def test_depth_recovers_the_target(depth):
    assert columns_of(depth)["reconstruction_error"][-1] == pytest.approx(ERRORS[depth], abs=1e-3)


@pytest.mark.parametrize("depth", ERRORS)
def test_the_gradient_is_smaller_off_the_diagonal_than_on_it(depth):
    on, _, off, _ = columns_of(depth)["singular_vector_alignment"].T
    assert np.isnan(on[0])  # a multiple of the identity has no singular vectors of its own
    assert (off[1:] < on[1:]).all()
    assert on[-1] < 1e-2 * on[1]


def reached(depth, share, component=0):
    """The first step at which a singular value is at a share of its last value."""
    columns = columns_of(depth)
    values = columns["singular_values"][:, component]
    return columns["step"][np.argmax(values >= share * values[-1])]


def test_deeper_models_move_later_and_more_sharply():
    assert reached(1, 0.1) < reached(2, 0.1) < reached(3, 0.1)
    rises = [reached(depth, 0.9) / reached(depth, 0.1) for depth in ERRORS]
    assert rises[0] > rises[1] > rises[2]
    assert reached(3, 0.5, component=0) < reached(3, 0.5, component=1)  # one after another


def test_layers_stay_balanced():
    """From equal multiples of the identity all factors have the same singular values, but for the steps' length."""
    layers = columns_of(3)["layer_singular_values"].reshape(-1, 3, 20)
    np.testing.assert_allclose(layers, layers[:, :1].repeat(3, axis=1), rtol=1e-3)


def test_the_angle_closes_with_depth():
    angles = [columns_of(depth)["subspace_angle"][-1] for depth in ERRORS]
    assert angles[0] > 0.7 > 0.1 > angles[1] > 0.01 > angles[2]
