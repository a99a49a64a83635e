"""Runs of a combination of kinds, on every engine that can take them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from tests.kinds.examples import example_of
from tests.kinds.fitting import changed, valid
from workers.runs.engines import engine_misfit, engine_of
from workers.runs.initializers import starting_factors
from workers.runs.noise import batch_words
from workers.runs.spec import Engine, RunSpec
from workers.runs.starts import Explicit, Gaussian, OtherRun

RUNS = 3
"""In a batch; they differ in their seeds and in when they stop."""

EVERY = 4
"""Steps from point to point; runs end at such a step, so that a longer run has a point there, too."""

PERIODS = 1
"""From point to point that the shortest run of a batch has."""

LENGTHS = {"max_steps": EVERY, "max_time": 1.0}
"""How a run says when it stops, and by how much the runs of a batch differ, and a longer run from a shorter."""

GIVEN = (Explicit, OtherRun)
"""Starts with factors, which must fit the model."""


@dataclass(frozen=True)
class Combination:
    """One kind of each sort, on one engine.

    Attributes:
        kinds: the classes of the model, the problem, the optimiser, the start and the loss.
        specs: runs that share a batch.
    """

    kinds: tuple[type, ...]
    specs: tuple[RunSpec, ...]

    def __str__(self) -> str:
        first = self.specs[0]
        kinds = (first.model.kind, first.problem.kind, "x".join(map(str, first.problem.shape)))
        rate = getattr(getattr(first.optimizer, "learning_rate", None), "kind", "constant")
        words = batch_words(first)
        return "-".join(
            (*kinds, first.optimizer.kind, rate, *words, first.init.kind, first.loss.kind, engine_of(first))
        )


def is_trained(spec: RunSpec) -> bool:
    """Whether a run has factors that move, step by step or along a flow."""
    return spec.descends or spec.is_flow


def on_engines(kinds: tuple[type, type, type, type], parts: dict[str, Any]) -> Iterator[Combination]:
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
        yield Combination((*kinds, type(spec.loss)), tuple(_numbered(spec, run) for run in range(RUNS)))


def _completed(kinds: tuple[type, type, type, type], parts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts with a stop and a schedule by steps, and by time; a start with factors gets some that fit the model."""
    for stop, record in (
        ({"max_steps": PERIODS * EVERY}, {"every": EVERY}),
        ({"max_time": 1.0}, {"points_per_decade": 4}),
    ):
        completed = {**parts, "stop": stop, "record": record}
        drawn = valid({**completed, "init": example_of(Gaussian)})
        if kinds[3] in GIVEN and drawn is not None:
            factors = [factor.tolist() for factor in starting_factors(drawn)]
            completed["init"] = {**parts["init"], "factors": factors}
        if kinds[3] not in GIVEN or drawn is not None:
            yield completed


def _numbered(spec: RunSpec, run: int) -> RunSpec:
    stop = {name: value + LENGTHS[name] * run for name, value in _lengths(spec).items()}
    return changed(spec, seed=run, stop={**spec.resolved()["stop"], **stop})


def lengthened(spec: RunSpec, times: int) -> RunSpec:
    """The run with a stop that is later by so many times what LENGTHS says."""
    stop = {name: value + LENGTHS[name] * times for name, value in _lengths(spec).items()}
    return changed(spec, stop={**spec.resolved()["stop"], **stop})


def _lengths(spec: RunSpec) -> dict[str, Any]:
    return {name: value for name, value in spec.resolved()["stop"].items() if name in LENGTHS}
