"""Batching: which engine runs a spec, and which runs can share a batch."""

from workers.runs.costs import observes_few_entries
from workers.runs.fused_limits import fused_limit
from workers.runs.models import DeepMatrix, NuclearNorm
from workers.runs.problems import observation_count, observes_entries
from workers.runs.spec import RunSpec

ENOUGH_RUNS = 64
"""Of the fused engine on a CPU core: eight vectors of float64. A run in a batch of 1024 is no faster, see
benchmarks.descent_speed."""


def engine_of(spec: RunSpec) -> str:
    """The engine of a spec: the one it asks for, else the fused one where it can run the spec, else torch.

    Flows, and baselines that do not descend, have engines of their own; a baseline whatever those beside it ask for.
    """
    if isinstance(spec.model, NuclearNorm):
        return "convex"
    if spec.is_flow:
        return "flow"
    if spec.engine != "auto":
        return spec.engine
    return "torch" if fused_limit(spec) else "fused"


def engine_misfit(spec: RunSpec) -> str | None:
    """Why the engine that a spec asks for cannot run it, as one sentence; None when it can."""
    if isinstance(spec.model, NuclearNorm):
        return None
    if spec.is_flow:
        said = f"A gradient_flow is integrated by the engine 'flow', not {spec.engine!r}; ask for 'auto'."
        return None if spec.engine in ("auto", "flow") else said
    if spec.engine == "flow":
        return f"The engine 'flow' integrates gradient_flow, and this run is a {spec.optimizer.kind}; ask for 'auto'."
    limit = fused_limit(spec) if spec.engine == "fused" else None
    return limit and f"{limit} Ask for the engine 'auto' or 'torch'."


def batch_key(spec: RunSpec) -> str:
    """All that changes array shapes or the program; runs with equal keys can share a batch."""
    size, width = "x".join(map(str, spec.problem.shape)), spec.factor_shapes[0][1]
    inside = f"depth={spec.depth} width={width}" if isinstance(spec.model, DeepMatrix) else f"rank={width}"
    shapes = f"{size} {inside}"
    form = "entries" if observes_entries(spec.problem) else f"measurements={observation_count(spec.problem)}"
    form = f"few {form}" if observes_few_entries(spec) else form
    program = (engine_of(spec), spec.device, spec.precision, spec.loss, spec.optimizer.kind)
    return " ".join((*program, spec.model.kind, shapes, form, f"entries={len(spec.record.entries)}"))


def enough_runs(key: str) -> int | None:
    """The runs from which a batch of this key is no faster per run on a CPU core; None where more always help.

    The torch engine shares the cost of its calls out among the runs of a batch, the fused engine has none to share.
    """
    return ENOUGH_RUNS if key.startswith(("fused auto ", "fused cpu ")) else None
