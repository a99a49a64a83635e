"""The numbers that disturb the steps of a run: its noise and the shares of its mini-batches, step by step."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from workers.runs.costs import trained_numbers
from workers.runs.draws import DISTRIBUTIONS, GRADIENT_STREAM, LABEL_STREAM
from workers.runs.minibatches import Minibatches
from workers.runs.noise import Noise, gradient_noise_of, label_noise_of, minibatch_of
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]
Draws = Callable[[int, int], Array]
"""From a step and a count to the numbers of consecutive steps, (count, numbers of a step)."""


def label_noise(spec: RunSpec) -> Draws | None:
    """What is added to the observed numbers: entries in row-major order, measurements sample by sample."""
    return _scaled(label_noise_of(spec), spec, LABEL_STREAM, spec.problem.observation_count)


def gradient_noise(spec: RunSpec) -> Draws | None:
    """What is added to the gradient in the trained numbers, factor after factor in row-major order."""
    return _scaled(gradient_noise_of(spec), spec, GRADIENT_STREAM, trained_numbers(spec))


def batch_shares(spec: RunSpec) -> Draws | None:
    """By what the gradient of each sample is multiplied."""
    batch = minibatch_of(spec)
    return None if batch is None else Minibatches(batch, spec.seed, spec.problem.sample_count).shares


def _scaled(noise: Noise | None, spec: RunSpec, stream: int, per_step: int) -> Draws | None:
    if noise is None:
        return None
    drawn, std = DISTRIBUTIONS[noise.distribution](spec.seed, stream, per_step), noise.std
    return lambda step, count: std * drawn.draws(step, count)
