"""What the fused engine can run, said without loading it."""

from math import prod

from workers.runs.costs import multiply_adds_per_step, trained_numbers
from workers.runs.models import DeepMatrix, SymmetricMatrix
from workers.runs.optimizers import GradientDescent, Momentum
from workers.runs.problems import observes_entries
from workers.runs.spec import RunSpec

MOST_MULTIPLY_ADDS = 100_000
"""Per step. Above, batched products of whole matrices are no slower: 24 x 24 at depth 3 (85 000) takes half of torch's
time, 32 x 32 (200 000) as much as torch's for a single run."""

MOST_NUMBERS = 2_000
"""Of the factors, and of the product. A block keeps its lanes on the stack: 64 bytes for each number and copy."""

DEEPEST = 32
"""Every factor is compiled on its own, which takes up to 6 seconds at this depth."""


def fused_limit(spec: RunSpec) -> str | None:
    """Which limit of the fused engine a spec exceeds, as one sentence; None when the engine can run it."""
    if not isinstance(spec.model, DeepMatrix | SymmetricMatrix):
        return f"The fused engine takes deep_matrix and symmetric_matrix, and this model is a {spec.model.kind}."
    if not isinstance(spec.optimizer, GradientDescent | Momentum):
        return f"The fused engine descends by gradient_descent or momentum, and this run by {spec.optimizer.kind}."
    if not observes_entries(spec.problem):
        return "The fused engine fits observed entries only, and this problem observes linear measurements."
    if not spec.stop.at_first_step_below:
        return "The fused engine stops at the first step below the limit, and this run checks its loss by another rule."
    if spec.depth > DEEPEST:
        return f"The fused engine takes depths up to {DEEPEST}, and this model has depth {spec.depth}."
    if (numbers := trained_numbers(spec)) > MOST_NUMBERS:
        return f"The fused engine trains at most {MOST_NUMBERS} numbers, and this model has {numbers}."
    if (entries := prod(spec.problem.shape)) > MOST_NUMBERS:
        return f"The fused engine takes products of at most {MOST_NUMBERS} entries, and this one has {entries}."
    if (cost := multiply_adds_per_step(spec)) > MOST_MULTIPLY_ADDS:
        return f"The fused engine takes at most {MOST_MULTIPLY_ADDS} multiply-adds a step, and this run needs {cost}."
    return None
