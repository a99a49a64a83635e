"""Engines: which one computes a spec, what the fused engine can take, and which runs share a batch."""

from dataclasses import dataclass
from math import prod

from workers.runs.costs import multiply_adds_per_step, observes_few_entries, trained_numbers
from workers.runs.models import MODELS
from workers.runs.optimizers import OPTIMIZERS
from workers.runs.spec import RunSpec

MOST_MULTIPLY_ADDS = 100_000
"""Per step. Above, batched products of whole matrices are no slower: 24 x 24 at depth 3 (85 000) takes half of torch's
time, 32 x 32 (200 000) as much as torch's for a single run."""

MOST_NUMBERS = 2_000
"""Of the factors, and of the product. A block keeps its lanes on the stack: 64 bytes for each number and copy."""

DEEPEST_FUSED = 32
"""Every factor is compiled by itself, which takes up to 6 seconds at this depth."""

ENOUGH_RUNS = 64
"""Of the fused engine on a CPU core: eight vectors of float64. A run in a batch of 1024 is no faster, see
benchmarks.descent_speed."""

FUSABLE_MODELS = tuple(kind for kind, model in MODELS.items() if model.is_fusable)
FUSABLE_OPTIMIZERS = tuple(kind for kind, optimizer in OPTIMIZERS.items() if optimizer.is_fusable)


@dataclass(frozen=True)
class BatchKey:
    """All that changes the shapes of arrays or the program: runs with equal keys can share a batch.

    Attributes:
        engine: which computes them.
        device: as the spec says: auto, cpu or cuda.
        program: the rest, as words for people and for equality.
    """

    engine: str
    device: str
    program: str

    def __str__(self) -> str:
        """As the database holds it."""
        return " ".join(filter(None, (self.engine, self.device, self.program)))

    @classmethod
    def parse(cls, text: str) -> "BatchKey":
        """The key that was written as `text`."""
        engine, _, rest = text.partition(" ")
        device, _, program = rest.partition(" ")
        return cls(engine, device, program)

    @property
    def enough_runs(self) -> int | None:
        """Batch size beyond which a CPU core gains nothing per run; None where larger is always faster.

        The torch engine shares the cost of its calls out among the runs of a batch; the fused engine has none to share.
        """
        return ENOUGH_RUNS if self.engine == "fused" and self.device in ("auto", "cpu") else None


def engine_of(spec: RunSpec) -> str:
    """The engine of a spec: the engine that it names, else the fused one where it can run the spec, else torch.

    Flows, and baselines that do not descend, have engines of their own; a baseline whatever the spec names.
    """
    if not spec.model.is_trained:
        return "convex"
    if spec.is_flow:
        return "flow"
    if spec.engine != "auto":
        return spec.engine
    return "torch" if fused_limit(spec) else "fused"


def engine_misfit(spec: RunSpec) -> str | None:
    """Why the engine that a spec names cannot run it, as one sentence; None when it can."""
    if not spec.model.is_trained:
        return None
    if spec.is_flow:
        said = f"A gradient_flow is integrated by the engine 'flow', not {spec.engine!r}; ask for 'auto'."
        return None if spec.engine in ("auto", "flow") else said
    if spec.engine == "flow":
        return f"The engine 'flow' integrates gradient_flow, and this run is a {spec.optimizer.kind}; ask for 'auto'."
    limit = fused_limit(spec) if spec.engine == "fused" else None
    return limit and f"{limit} Ask for the engine 'auto' or 'torch'."


def batch_key(spec: RunSpec) -> BatchKey:
    """The key of a spec."""
    problem, model = spec.problem, spec.model
    size = "x".join(map(str, problem.shape))
    form = "entries" if problem.observes_entries else f"measurements={problem.observation_count}"
    form = f"few {form}" if observes_few_entries(spec) else form
    program = (spec.precision, spec.loss, spec.optimizer.kind, model.kind, size, model.batch_words(problem.shape), form)
    return BatchKey(engine_of(spec), spec.device, " ".join((*program, f"entries={len(spec.record.entries)}")))


def fused_limit(spec: RunSpec) -> str | None:
    """Which limit of the fused engine a spec exceeds, as one sentence; None when the engine can run it."""
    return _fused_kinds(spec) or _fused_sizes(spec)


def _fused_kinds(spec: RunSpec) -> str | None:
    if not spec.model.is_fusable:
        return f"The fused engine takes {' and '.join(FUSABLE_MODELS)}, and this model is a {spec.model.kind}."
    if not spec.optimizer.is_fusable:
        return f"The fused engine descends by {' or '.join(FUSABLE_OPTIMIZERS)}, and this run by {spec.optimizer.kind}."
    if not spec.problem.observes_entries:
        return "The fused engine fits observed entries only, and this problem observes linear measurements."
    if not spec.stop.at_first_step_below:
        return "The fused engine stops at the first step below the limit, and this run checks its loss by another rule."
    return None


def _fused_sizes(spec: RunSpec) -> str | None:
    if spec.depth > DEEPEST_FUSED:
        return f"The fused engine takes depths up to {DEEPEST_FUSED}, and this model has depth {spec.depth}."
    if (numbers := trained_numbers(spec)) > MOST_NUMBERS:
        return f"The fused engine trains at most {MOST_NUMBERS} numbers, and this model has {numbers}."
    if (entries := prod(spec.problem.shape)) > MOST_NUMBERS:
        return f"The fused engine takes products of at most {MOST_NUMBERS} entries, and this one has {entries}."
    if (cost := multiply_adds_per_step(spec)) > MOST_MULTIPLY_ADDS:
        return f"The fused engine takes at most {MOST_MULTIPLY_ADDS} multiply-adds a step, and this run needs {cost}."
    return None
