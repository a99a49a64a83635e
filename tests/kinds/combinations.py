"""The combinations of kinds that a spec allows, on every engine that can run them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, product
from typing import Any, get_args

from pydantic import ValidationError

from tests.helpers.losses import fitted
from tests.kinds.examples import Example, example_of, kinds_of
from workers.runs.engines import engine_misfit, engine_of
from workers.runs.initializers import starting_factors
from workers.runs.losses import Kinds
from workers.runs.models import Model
from workers.runs.models.deep_matrix import DeepMatrix
from workers.runs.optimizers import GradientDescent, GradientFlow, Optimizer
from workers.runs.problems import LowRankCompletion, LowRankSensing, Problem
from workers.runs.rates import SCHEDULES
from workers.runs.spec import Engine, ExtraMetric, RunSpec
from workers.runs.starts import Explicit, Gaussian, OtherRun, Start

RUNS = 3
"""In a batch; they differ in their seeds and in when they stop."""

EVERY = 4
"""Steps from point to point; runs end at such a step, so that a longer run has a point there, too."""

LENGTHS = {"max_steps": EVERY, "max_time": 3.0}
"""How a run says when it stops, and by how much the runs of a batch differ."""

SHAPES: dict[type, tuple[list[int], ...]] = {
    LowRankCompletion: ([2, 3], [2, 3, 2]),
    LowRankSensing: ([2, 3], [2, 3, 2]),
}
"""What examples cannot all show at once: rectangles and tensors."""

DEPTHS: dict[type, tuple[int, ...]] = {DeepMatrix: (2, 1)}
"""What the example of a model does not show, and some optimisers need."""

GIVEN = (Explicit, OtherRun)
"""Starts with factors, which must fit the model."""


@dataclass(frozen=True)
class Combination:
    """One kind of each sort, on one engine.

    Attributes:
        kinds: the classes of the model, the problem, the optimiser, the start and the loss.
        specs: runs that share a batch, with every metric that they may ask for.
    """

    kinds: tuple[type, ...]
    specs: tuple[RunSpec, ...]

    def __str__(self) -> str:
        first = self.specs[0]
        kinds = (first.model.kind, first.problem.kind, "x".join(map(str, first.problem.shape)))
        rate = getattr(getattr(first.optimizer, "learning_rate", None), "kind", "constant")
        return "-".join((*kinds, first.optimizer.kind, rate, first.init.kind, first.loss.kind, engine_of(first)))


def is_trained(spec: RunSpec) -> bool:
    """Whether a run has factors that move, step by step or along a flow."""
    return spec.descends or spec.is_flow


def problem_examples(kind: type) -> list[Example]:
    """The example of a kind of problem, and the same in other shapes."""
    return [example_of(kind), *({**example_of(kind), "shape": shape} for shape in SHAPES.get(kind, ()))]


def model_examples(kind: type) -> list[Example]:
    """The example of a kind of model, and the same of other depths."""
    return [example_of(kind), *({**example_of(kind), "depth": depth} for depth in DEPTHS.get(kind, ()))]


def valid(parts: dict[str, Any]) -> RunSpec | None:
    """The spec of these parts, or None if they do not fit together; a part that is itself wrong is an error."""
    try:
        return RunSpec.model_validate(parts)
    except ValidationError as error:
        if any(one["type"] != "misfit" for one in error.errors()):
            raise
        return None


def combinations() -> Iterator[Combination]:
    """Everything that the tests of all kinds run through."""
    yield from _with_usual_losses()
    yield from _with_other_losses()


def _with_other_losses() -> Iterator[Combination]:
    """Every model with every loss that is none of squares, of entries and of measurements, descending and flowing."""
    models = [kind for kind in kinds_of(Model) if kind.is_trained]
    losses = [kind for kind in kinds_of(Kinds) if not kind.is_square]
    for model, loss, problem, way in product(models, losses, SHAPES, (GradientDescent, GradientFlow)):
        for example in reversed(problem_examples(problem)):  # the last one that fits: a tensor, a rectangle, a square
            parts = {"model": example_of(model), "optimizer": example_of(way), "init": example_of(Gaussian)}
            if found := list(_on_engines((model, problem, way, Gaussian), parts | fitted(example_of(loss), example))):
                yield from found
                break


def _with_usual_losses() -> Iterator[Combination]:
    """Every model, problem and optimiser on every engine; starts, which decide step 0 alone, take turns.

    Of a model that is not trained, whose optimiser and start are never used, there is one for each problem.
    """
    starts = Turns()
    for model, problem in product(kinds_of(Model), kinds_of(Problem)):
        for example in problem_examples(problem):
            parts = {"model": example_of(model), "problem": example}
            untrained = valid({**parts, **training()})
            if untrained is not None and not is_trained(untrained):
                yield from _on_engines((model, problem, GradientDescent, Gaussian), parts | training())
                continue
            for optimizer in kinds_of(Optimizer):
                for modelled in model_examples(model):
                    chosen = parts | {"model": modelled, "optimizer": example_of(optimizer)}
                    if found := starts.first_that_fits((model, problem, optimizer), chosen):
                        yield from found
                        break


def scheduled() -> Iterator[Combination]:
    """Every schedule of every optimiser that takes steps on every engine, with either weight decay in turns."""
    decays = cycle((("coupled", "decoupled"), ("decoupled", "coupled")))
    kinds = [kind for kind in kinds_of(Optimizer) if not kind.is_flow]
    for kind, schedule in product(kinds, SCHEDULES.values()):
        for modelled, decay in product(model_examples(DeepMatrix), next(decays)):
            factors = [1.0, 0.5, 1.0][: modelled["depth"]]
            of_rate = {"learning_rate": example_of(schedule), "learning_rate_factors": factors}
            optimizer = {**example_of(kind), **of_rate, "weight_decay": 0.01, "decay": decay}
            parts = {"model": modelled, "problem": example_of(LowRankCompletion)}
            parts |= {"optimizer": optimizer, "init": example_of(Gaussian)}
            if found := list(_on_engines((DeepMatrix, LowRankCompletion, kind, Gaussian), parts)):
                yield from found
                break


class Turns:
    """Hands out the kinds of starts in turn, leaving out those that do not fit."""

    def __init__(self) -> None:
        self._waiting = list(kinds_of(Start))

    def first_that_fits(self, kinds: tuple[type, type, type], parts: dict[str, Any]) -> list[Combination]:
        """The combinations with the start whose turn it is; it goes to the end of the queue."""
        for start in tuple(self._waiting):
            if found := list(_on_engines((*kinds, start), parts | {"init": example_of(start)})):
                self._waiting.remove(start)
                self._waiting.append(start)
                return found
        return []


def training() -> dict[str, Any]:
    """Any optimiser, start, stop and schedule, for what does not depend on them."""
    parts = {"optimizer": example_of(GradientDescent), "init": example_of(Gaussian)}
    return parts | {"stop": {"max_steps": 1}, "record": {"every": 1}}


def _on_engines(kinds: tuple[type, type, type, type], parts: dict[str, Any]) -> Iterator[Combination]:
    """A combination for every engine that can run the parts; none if they do not fit together."""
    fitting = next((spec for spec in map(valid, _completed(kinds, parts)) if spec is not None), None)
    if fitting is None:
        return
    engines: dict[str, RunSpec] = {}
    for engine in get_args(Engine):
        spec = RunSpec.model_validate(fitting.resolved() | {"engine": engine})
        if engine_misfit(spec) is None:
            engines.setdefault(engine_of(spec), spec)
    for spec in engines.values():
        yield Combination(
            (*kinds, type(spec.loss)), tuple(_numbered(with_all_metrics(spec), run) for run in range(RUNS))
        )


def _completed(kinds: tuple[type, type, type, type], parts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts with a stop and a schedule by steps, and by time; a start with factors gets some that fit the model."""
    for stop, record in (({"max_steps": 3 * EVERY}, {"every": EVERY}), ({"max_time": 1.0}, {"points_per_decade": 4})):
        completed = {**parts, "stop": stop, "record": record}
        drawn = valid({**completed, "init": example_of(Gaussian)})
        if kinds[3] in GIVEN and drawn is not None:
            factors = [factor.tolist() for factor in starting_factors(drawn)]
            completed["init"] = {**parts["init"], "factors": factors}
        if kinds[3] not in GIVEN or drawn is not None:
            yield completed


def with_all_metrics(spec: RunSpec) -> RunSpec:
    """The spec with every metric on request that it may ask for, and one entry."""
    asked: list[str] = []
    for name in get_args(ExtraMetric):
        record = {**spec.resolved()["record"], "metrics": [*asked, name]}
        asked = [*asked, name] if valid(spec.resolved() | {"record": record}) else asked
    entry = [0] * len(spec.problem.shape)
    return changed(spec, record={**spec.resolved()["record"], "metrics": asked, "entries": [entry]})


def _numbered(spec: RunSpec, run: int) -> RunSpec:
    stop = {name: value + LENGTHS[name] * run for name, value in _lengths(spec).items()}
    return changed(spec, seed=run, stop={**spec.resolved()["stop"], **stop})


def lengthened(spec: RunSpec) -> RunSpec:
    """The run with a stop that is twice as late."""
    stop = {name: value * 2 for name, value in _lengths(spec).items()}
    return changed(spec, stop={**spec.resolved()["stop"], **stop})


def _lengths(spec: RunSpec) -> dict[str, Any]:
    return {name: value for name, value in spec.resolved()["stop"].items() if name in LENGTHS}


def changed(spec: RunSpec, **parts: Any) -> RunSpec:
    """The spec with whole parts replaced."""
    return RunSpec.model_validate(spec.resolved() | parts)
