"""What makes a descent stochastic: mini-batches of the observations, and noise on labels or gradients.

Draws are those of `workers.runs.draws`, so a run's noise is a function of its seed and the step. The loss that is
recorded, tested and measured is that of all observations, without noise.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from workers.runs.base import Count, NonNegative, SpecModel, misfit

if TYPE_CHECKING:
    from workers.runs.spec import RunSpec


class Batch(SpecModel, frozen=True):
    """Steps from the gradient of `size` samples: m / size times the sum of theirs, m samples in all.

    A sample is an observation; of a regression, an input with its outputs. With replacement, each step draws `size`
    samples independently. Without, each epoch draws an order of all samples, and its steps take `size` of them after
    another; where size does not divide m, the last step of an epoch takes those that are left, times m over their
    number. A batch of all samples without replacement is no batch: the run has the bits of one without.
    """

    example: ClassVar[Mapping[str, Any]] = {"size": 2, "replacement": False}

    size: Count
    replacement: bool = False

    def divides(self, samples: int) -> bool:
        """Whether a step takes a part of the samples, or some of them repeatedly."""
        return self.replacement or self.size != samples


class Noise(SpecModel, frozen=True):
    """Noise with mean 0 and standard deviation `std`, drawn anew at every step.

    Of kind `label` a step sees y_i + std xi_i in place of each observed number y_i; of kind `gradient` it sees
    g_j + std xi_j in place of the gradient in each trained number. xi is standard normal, or 1 or -1 (`rademacher`).
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "label", "std": 0.1, "distribution": "normal"}

    kind: Literal["label", "gradient"]
    std: NonNegative
    distribution: Literal["normal", "rademacher"] = "normal"


def minibatch_of(spec: "RunSpec") -> Batch | None:
    """The mini-batches of a run; None where every step takes all samples once."""
    batch = spec.descent.batch if spec.descends else None
    return batch if batch is not None and batch.divides(spec.problem.sample_count) else None


def label_noise_of(spec: "RunSpec") -> Noise | None:
    """The noise on the labels of a run."""
    return _noise_of(spec, "label")


def gradient_noise_of(spec: "RunSpec") -> Noise | None:
    """The noise on the gradients of a run."""
    return _noise_of(spec, "gradient")


def _noise_of(spec: "RunSpec", kind: str) -> Noise | None:
    noise = spec.descent.noise if spec.descends else None
    return noise if noise is not None and noise.kind == kind else None


def disturbs_observations(spec: "RunSpec") -> bool:
    """Whether steps see other observations than the loss; every sample is then needed, and none is reduced."""
    return minibatch_of(spec) is not None or label_noise_of(spec) is not None


def is_stochastic(spec: "RunSpec") -> bool:
    """Whether steps depend on draws."""
    return disturbs_observations(spec) or gradient_noise_of(spec) is not None


def batch_words(spec: "RunSpec") -> list[str]:
    """What changes the operations of a step, as words; sizes, seeds and distributions only change numbers."""
    words = {
        "minibatch": minibatch_of(spec),
        "label_noise": label_noise_of(spec),
        "gradient_noise": gradient_noise_of(spec),
    }
    return [word for word, part in words.items() if part is not None]


def check_draws(spec: "RunSpec") -> None:
    """Raise a misfit, pointing into the run, unless batches and noise fit its other parts."""
    descent, samples = spec.descent, spec.problem.sample_count
    if descent.batch is not None and descent.batch.size > samples:
        raise misfit(
            ("optimizer", "batch", "size"), f"This problem has {samples:,} samples; take batches of at most that many."
        )
    if label_noise_of(spec) is not None and spec.loss.takes_labels:
        raise misfit(
            ("optimizer", "noise", "kind"),
            f"With the loss {spec.loss.kind} observed values are labels, 1 or -1, and a number added to one leaves "
            "none; take noise of kind gradient, or a loss of residuals.",
        )
    if descent.rates.is_adaptive and (descent.batch is not None or descent.noise is not None):
        raise misfit(
            ("optimizer", "learning_rate"),
            "Polyak's rate divides the loss by the squared gradient of the same observations, and batches and noise "
            "give steps another gradient; take another schedule, or neither.",
        )
