"""The numbers that disturb the steps of a run: its noise and the shares of its mini-batches, step by step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from workers.runs.costs import trained_numbers
from workers.runs.draws import BATCH_STREAM, DISTRIBUTIONS, GRADIENT_STREAM, LABEL_STREAM, word_of
from workers.runs.minibatches import Minibatches
from workers.runs.noise import Noise, gradient_noise_of, label_noise_of, minibatch_of
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Numbers of consecutive steps: called with a step and a count, (count, numbers of a step).

    Attributes:
        kind: the distribution of noise; of batches, an order of all samples in each epoch, or replacement.
        seed, stream: the key of the words.
        words: of a step, or of an epoch.
        numbers: of a step; of batches, the samples.
        scale: what multiplies numbers that were drawn, or counted.
        batch: samples of a step.
    """

    kind: Literal["normal", "rademacher", "order", "replacement"]
    seed: int
    stream: int
    words: int
    numbers: int
    scale: float
    batch: int
    values: Callable[[int, int], Array] = field(compare=False)

    def __call__(self, step: int, count: int) -> Array:
        return self.values(step, count)

    @property
    def steps_of_epoch(self) -> int:
        """Steps in which all samples are taken once."""
        return -(-self.numbers // self.batch)


def label_noise(spec: RunSpec) -> Draws | None:
    """What is added to the observed numbers: entries in row-major order, measurements sample by sample."""
    return _scaled(label_noise_of(spec), spec, LABEL_STREAM, spec.problem.observation_count)


def gradient_noise(spec: RunSpec) -> Draws | None:
    """What is added to the gradient in the trained numbers, factor after factor in row-major order."""
    return _scaled(gradient_noise_of(spec), spec, GRADIENT_STREAM, trained_numbers(spec))


def batch_shares(spec: RunSpec) -> Draws | None:
    """By what the gradient of each sample is multiplied."""
    batch, samples, seed = minibatch_of(spec), spec.problem.sample_count, word_of(spec.seed)
    if batch is None:
        return None
    kind, words = ("replacement", batch.size) if batch.replacement else ("order", samples)
    values = Minibatches(batch, spec.seed, samples).shares
    return Draws(kind, seed, BATCH_STREAM, words, samples, samples / batch.size, batch.size, values)


def _scaled(noise: Noise | None, spec: RunSpec, stream: int, per_step: int) -> Draws | None:
    if noise is None:
        return None
    drawn, std = DISTRIBUTIONS[noise.distribution](spec.seed, stream, per_step), noise.std
    words = drawn.words_per_step
    return Draws(
        noise.distribution,
        word_of(spec.seed),
        stream,
        words,
        per_step,
        std,
        per_step,
        lambda step, count: std * drawn.draws(step, count),
    )
