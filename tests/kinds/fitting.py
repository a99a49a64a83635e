"""Parts of specs that fit together."""

from typing import Any, get_args

from pydantic import ValidationError

from tests.kinds.examples import Example, example_of
from workers.runs.metrics import BY_NAME
from workers.runs.models.deep_matrix import DeepMatrix
from workers.runs.optimizers import GradientDescent
from workers.runs.problems import LowRankCompletion, LowRankSensing, RandomRegression
from workers.runs.spec import ExtraMetric, RunSpec
from workers.runs.starts import Gaussian

SHAPES: dict[type, tuple[list[int], ...]] = {
    LowRankCompletion: ([2, 3], [2, 3, 2]),
    LowRankSensing: ([2, 3], [2, 3, 2]),
}
"""What examples cannot all show at once: rectangles and tensors."""

ROWS: dict[type, tuple[dict[str, Any], ...]] = {
    LowRankCompletion: ({"shape": [1, 4]},),
    LowRankSensing: ({"shape": [1, 4]},),
    RandomRegression: ({"outputs": 1},),
}
"""Changes of examples that make the product a single row, for models of vectors, which take no other."""

DEPTHS: dict[type, tuple[int, ...]] = {DeepMatrix: (2, 1)}
"""What the example of a model does not show, and some optimisers need."""


def problem_examples(kind: type) -> list[Example]:
    """The example of a kind of problem, and the same in other shapes."""
    return [example_of(kind), *({**example_of(kind), "shape": shape} for shape in SHAPES.get(kind, ()))]


def fitting_examples(model: Example, kind: type) -> list[Example]:
    """The examples of a kind of problem that a model takes, or those of a single row if there is no other."""
    rows = [{**example_of(kind), **changes} for changes in ROWS.get(kind, ())]
    fitting = ([one for one in some if _fit(model, one)] for some in (problem_examples(kind), rows))
    return next((some for some in fitting if some), [])


def _fit(model: Example, problem: Example) -> bool:
    return valid(training() | {"model": model, "problem": problem}) is not None


def variants(kind: type, model: Example) -> list[Example]:
    """An example of a kind of model, and the same of other depths, which some optimisers need."""
    depths = DEPTHS.get(kind, ()) if model == example_of(kind) else ()
    return [model, *({**model, "depth": depth} for depth in depths)]


def valid(parts: dict[str, Any]) -> RunSpec | None:
    """The spec of these parts, or None if they do not fit together; a part that is itself wrong is an error."""
    try:
        return RunSpec.model_validate(parts)
    except ValidationError as error:
        if any(one["type"] != "misfit" for one in error.errors()):
            raise
        return None


def training() -> dict[str, Any]:
    """Any optimiser, start, stop and schedule, for what does not depend on them."""
    parts = {"optimizer": example_of(GradientDescent), "init": example_of(Gaussian)}
    return parts | {"stop": {"max_steps": 1}, "record": {"every": 1}}


def with_all_metrics(spec: RunSpec) -> RunSpec:
    """The spec with every metric on request that it may ask for, and one entry."""
    fitting = [
        name for name in get_args(ExtraMetric) if any(BY_NAME[name].misfit(part) is None for part in spec.phase_specs)
    ]
    entry = [0] * len(spec.problem.shape)
    return changed(spec, record={**spec.resolved()["record"], "metrics": fitting, "entries": [entry]})


def changed(spec: RunSpec, **parts: Any) -> RunSpec:
    """The spec with whole parts replaced."""
    return RunSpec.model_validate(spec.resolved() | parts)
