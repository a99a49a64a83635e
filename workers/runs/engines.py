"""Engines: which engine computes a spec, which specs the fused engine can take, and which runs share a batch."""

from dataclasses import dataclass
from math import prod
from typing import Literal

from workers.runs.costs import draws_numbers, multiply_adds_per_step, observes_few_entries, trained_numbers
from workers.runs.models import MODELS
from workers.runs.noise import batch_words
from workers.runs.optimizers import OPTIMIZERS
from workers.runs.spec import RunSpec

EngineName = Literal["torch", "fused", "flow", "convex"]


@dataclass(frozen=True)
class FusedSizes:
    """The largest runs that the fused engine takes on a kind of device.

    Attributes:
        device: its name in a sentence.
        multiply_adds: of a step.
        numbers: of all factors together.
        entries: of the product.
    """

    device: str
    multiply_adds: int
    numbers: int
    entries: int


ON_CORES = FusedSizes("a CPU", multiply_adds=120_000_000, numbers=2**18, entries=2**16)
"""256 x 256 at depth 3. There a run takes 0.4 to 0.6 of torch's time; a batch of 384 x 384 takes as long as torch."""

ON_THREADS = FusedSizes("a GPU", multiply_adds=100_000, numbers=2_000, entries=2_000)
"""A thread of a GPU computes a run by itself and keeps its factors in its own memory."""

OF_VECTORS = FusedSizes("a CPU", multiply_adds=20_000_000, numbers=2**12, entries=2**12)
"""Of a diagonal network, all of whose numbers stand on the stack, those of eight runs side by side."""

OF_MEASUREMENTS = FusedSizes("a CPU", multiply_adds=20_000_000, numbers=2**13, entries=2_500)
"""Of a matrix with linear measurements: 50 x 50 at depth 3. Runs that share them go side by side in lanes; those of
larger ones would not fit a thread's stack, and torch is faster where many runs share measurements."""

MOST_MEASURED_NUMBERS = 2**22
"""Numbers of the measurements of a run, of which two copies are read at a step: 64 MiB in float64."""

MOST_FUSED_SAMPLES = 2**12
"""Most linear measurements of such a network, whose residuals stand there too."""

MOST_FUSED_DRAWS = 2**15
"""Numbers that the fused engine reads at a step for batches and noise. Those of 64 runs fill the tables of a launch."""

DEEPEST_FUSED = 32
"""Greatest depth of the fused engine. It compiles code for every factor, which takes up to 6 seconds at this depth."""

ENOUGH_RUNS = 64
"""Batch size at which the fused engine is fastest per run on a CPU core: eight vectors of float64. A run in a batch of
1024 is no faster, see benchmarks.descent_speed."""

FUSABLE_MODELS = tuple(kind for kind, model in MODELS.items() if model.is_fusable)
FUSABLE_OPTIMIZERS = tuple(kind for kind, optimizer in OPTIMIZERS.items() if optimizer.is_fusable)


@dataclass(frozen=True)
class BatchKey:
    """Everything that changes the shapes of arrays or the program; runs with equal keys can share a batch.

    Attributes:
        engine: name of the engine that computes them.
        device: the spec's device: auto, cpu or cuda.
        program: the other parts, as words to be read and compared.
    """

    engine: str
    device: str
    program: str

    def __str__(self) -> str:
        """The key as the database holds it."""
        return " ".join(filter(None, (self.engine, self.device, self.program)))

    @classmethod
    def parse(cls, text: str) -> "BatchKey":
        """The key whose text is `text`."""
        engine, _, rest = text.partition(" ")
        device, _, program = rest.partition(" ")
        return cls(engine, device, program)

    @property
    def enough_runs(self) -> int | None:
        """Batch size beyond which a CPU core gains nothing per run; None where a larger batch is always faster.

        The torch engine spreads the cost of its calls over the runs of a batch; the fused engine has no such cost.
        """
        return ENOUGH_RUNS if self.engine == "fused" and self.device in ("auto", "cpu") else None


def engine_of(spec: RunSpec) -> EngineName:
    """The engine of a spec: the engine that it names; unless it names one, fused where that can run it, else torch.

    A baseline is computed by the convex engine and a flow by the flow engine, whatever the spec names.
    """
    if not spec.model.is_trained:
        return "convex"
    if spec.is_flow:
        return "flow"
    if spec.engine != "auto":
        return spec.engine
    return "torch" if fused_limit(spec) else "fused"


def engine_misfit(spec: RunSpec) -> str | None:
    """Why the engine that a spec names cannot run it, as a sentence; None when it can."""
    if not spec.model.is_trained:
        return None
    if spec.is_flow:
        message = f"A gradient_flow is integrated by the engine 'flow', not {spec.engine!r}; ask for 'auto'."
        return None if spec.engine in ("auto", "flow") else message
    if spec.engine == "flow":
        return f"The engine 'flow' integrates gradient_flow, and this run is a {spec.optimizer.kind}; ask for 'auto'."
    limit = fused_limit(spec) if spec.engine == "fused" else None
    return limit and f"{limit} Ask for the engine 'auto' or 'torch'."


def batch_key(spec: RunSpec) -> BatchKey:
    """The batch key of a spec."""
    problem, model = spec.problem, spec.model
    size = "x".join(map(str, problem.shape))
    observed = f"few {problem.batch_words}" if observes_few_entries(spec) else problem.batch_words
    if problem.held_out_count:
        observed = f"{observed} held_out={problem.held_out_count}"
    kinds = (
        spec.precision,
        spec.loss.kind,
        spec.optimizer.kind,
        *spec.optimizer.batch_words(),
        *batch_words(spec),
        model.kind,
    )
    program = (*kinds, size, model.batch_words(problem.shape), observed, f"entries={len(spec.record.entries)}")
    return BatchKey(engine_of(spec), spec.device, " ".join(program))


def fused_limit(spec: RunSpec) -> str | None:
    """Which limit of the fused engine a spec exceeds, as a sentence; None when the engine can run it."""
    if spec.model.fuses_measurements:
        return _fused_kinds(spec) or _fused_vectors(spec)
    if not spec.problem.observes_entries:
        return _fused_kinds(spec) or _fused_measurements(spec)
    return _fused_kinds(spec) or _fused_sizes(spec, ON_THREADS if spec.device == "cuda" else ON_CORES)


def _fused_measurements(spec: RunSpec) -> str | None:
    problem, entries = spec.problem, prod(spec.problem.shape)
    if problem.sample_numbers != entries:
        return "The fused engine measures a matrix as a vector, and this problem measures each of its rows."
    if spec.device == "cuda":
        return "The fused engine takes linear measurements on a CPU only, and this run asks for a GPU."
    if draws_numbers(spec):
        return "The fused engine takes linear measurements without batches and noise, and this run has some."
    if (samples := problem.observation_count) > entries:
        return (
            f"The fused engine takes no more measurements than entries, {entries:,}, and this problem has {samples:,}."
        )
    if (numbers := samples * entries) > MOST_MEASURED_NUMBERS:
        most = f"{MOST_MEASURED_NUMBERS:,}"
        return f"The fused engine reads at most {most} numbers of measurements, and here are {numbers:,}."
    return _fused_sizes(spec, OF_MEASUREMENTS)


def _fused_vectors(spec: RunSpec) -> str | None:
    if spec.device == "cuda":
        return f"The fused engine takes a {spec.model.kind} on a CPU only, and this run asks for a GPU."
    if not spec.problem.observes_entries and (samples := spec.problem.observation_count) > MOST_FUSED_SAMPLES:
        return f"The fused engine measures a vector {MOST_FUSED_SAMPLES:,} times at most, and this run {samples:,}."
    return _fused_sizes(spec, OF_VECTORS)


def _fused_kinds(spec: RunSpec) -> str | None:
    if not spec.model.is_fusable:
        return f"The fused engine takes {' and '.join(FUSABLE_MODELS)}, and this model is a {spec.model.kind}."
    if (name := spec.optimizer.unfused_name) is not None:
        return f"The fused engine descends by {' or '.join(FUSABLE_OPTIMIZERS)}, and this run by {name}."
    if not spec.stop.at_first_step_below:
        return "The fused engine stops at the first step below the limit, and this run checks its loss by another rule."
    return None


def exceeds_threads(spec: RunSpec) -> bool:
    """Whether a run is too large for a thread of a GPU, so that torch computes it on a worker that has one."""
    return (
        not spec.problem.observes_entries or spec.model.fuses_measurements or _fused_sizes(spec, ON_THREADS) is not None
    )


def _fused_sizes(spec: RunSpec, sizes: FusedSizes) -> str | None:
    on = f"The fused engine on {sizes.device}"
    if spec.depth > DEEPEST_FUSED:
        return f"{on} takes depths up to {DEEPEST_FUSED}, and this model has depth {spec.depth}."
    if (numbers := trained_numbers(spec)) > sizes.numbers:
        return f"{on} trains at most {sizes.numbers:,} numbers, and this model has {numbers:,}."
    if (entries := prod(spec.problem.shape)) > sizes.entries:
        return f"{on} takes products of at most {sizes.entries:,} entries, and this one has {entries:,}."
    if (numbers := draws_numbers(spec)) > MOST_FUSED_DRAWS:
        return (
            f"{on} reads at most {MOST_FUSED_DRAWS:,} numbers a step for batches and noise, and this run {numbers:,}."
        )
    if (cost := multiply_adds_per_step(spec)) > sizes.multiply_adds:
        return f"{on} takes at most {sizes.multiply_adds:,} multiply-adds a step, and this run needs {cost:,}."
    return None
