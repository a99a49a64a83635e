"""The combinations of kinds that a spec allows, on every engine that can run them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import cycle, product
from typing import Any, get_args

from tests.helpers.losses import fitted
from tests.kinds.combining import Combination, on_engines
from tests.kinds.examples import Example, example_of, kinds_of, models_of
from tests.kinds.fitting import (
    SHAPES,
    fitting_examples,
    training,
    variants,
    with_all_metrics,
)
from workers.runs.engines import engine_of
from workers.runs.losses import Kinds
from workers.runs.models import Model
from workers.runs.models.base import ModelBase
from workers.runs.models.deep_matrix import DeepMatrix
from workers.runs.noise import Batch, Noise
from workers.runs.optimizers import GradientDescent, GradientFlow, Optimizer, OptimizerBase
from workers.runs.problems import LowRankCompletion, Problem
from workers.runs.rates import SCHEDULES
from workers.runs.starts import Gaussian, Start


def all_combinations(every: bool = False) -> Iterator[Combination]:
    """Everything that the tests of all kinds run through: each pair of kinds, or all combinations that fit together.

    Metrics on request depend on the model, the problem, the loss, and on an engine's layout of states, not on how a run
    came to a point. Each two of these ask for all metrics once, as does each optimiser on each engine; or all do.
    """
    measured = Pairs()
    usual = combinations(True) if every else pairs()
    for combination in (*usual, *scheduled(every), *disturbed(every)):
        spec = combination.specs[0]
        model, problem = str(spec.model), f"{type(spec.problem)} {spec.problem.shape}"
        sorts = [{"model": model, "problem": problem}, {"model": model, "loss": spec.loss.kind}]
        sorts += [{"problem": problem, "loss": spec.loss.kind}]
        sorts += [
            {name: value, "engine": engine_of(spec)} for name, value in (("model", model), ("loss", spec.loss.kind))
        ]
        sorts += [{"optimizer": spec.optimizer.kind, "engine": engine_of(spec)}]
        if every or measured.lack(sorts):
            measured.add(sorts)
            combination = replace(combination, specs=tuple(map(with_all_metrics, combination.specs)))
        yield combination


@cache
def pairs() -> tuple[Combination, ...]:
    """Each pair of kinds that fit together; to find them takes seconds."""
    return tuple(combinations())


def combinations(every: bool = False) -> Iterator[Combination]:
    """Each pair of kinds that fit together, or all combinations."""
    yield from _with_usual_losses(every)
    yield from _with_other_losses()


def _with_other_losses() -> Iterator[Combination]:
    """Every model with every loss that is none of squares, of entries and of measurements; descents and flows in turns.

    Of the further examples of a model, each with a loss, in turns.
    """
    losses = [kind for kind in kinds_of(Kinds) if not kind.is_square]
    turns, ways = cycle(losses), cycle((GradientDescent, GradientFlow, GradientFlow, GradientDescent))
    for kind, model in models_of(Model):
        chosen = losses if model is example_of(kind) else [next(turns)]
        for loss, problem in product(chosen, SHAPES if kind.is_trained else ()):
            yield from _with_loss(kind, model, problem, example_of(loss), next(ways))


def _with_loss(kind: type, model: Example, problem: type, loss: Example, first: type) -> list[Combination]:
    """On the last problem that fits: a tensor, a rectangle, a square; flows need slopes without jumps."""
    for way in (first, GradientDescent):
        for example in reversed(fitting_examples(model, problem)):
            parts = {"model": model, "optimizer": example_of(way), "init": example_of(Gaussian)}
            if found := list(on_engines((kind, problem, way, Gaussian), parts | fitted(loss, example))):
                return found
    return []


def _with_usual_losses(every: bool) -> Iterator[Combination]:
    """Models, problems and optimisers on every engine; starts, which decide step 0 alone, take turns.

    Of a model that is not trained, whose optimiser and start are never used, there is one for each problem.
    """
    starts, covered = Turns(), Pairs()
    for (kind, model), problem, example, optimizer in _by_diagonals(every):
        parts, sorts = {"model": model, "problem": example}, [{"model": str(model), "problem": str(example)}]
        if not kind.is_trained:
            if covered.lack(sorts):
                covered.add(sorts)
                yield from on_engines((kind, problem, GradientDescent, Gaussian), parts | training())
            continue
        sorts += [{"optimizer": str(optimizer), "problem": f"{problem} of order {len(example.get('shape', 'ij'))}"}]
        steps = [{"step": str((kind, optimizer)), "engine": engine} for engine in engines(kind, optimizer)]
        if every or covered.lack([*sorts, *steps]):
            tried = (parts | {"model": one, "optimizer": example_of(optimizer)} for one in variants(kind, model))
            found = (starts.first_that_fits((kind, problem, optimizer), choice) for choice in tried)
            made = next((some for some in found if some), [])
            ways = [{"step": str((kind, optimizer)), "engine": engine_of(one.specs[0])} for one in made]
            covered.add([*sorts, *ways] if made else [])
            yield from made


def _by_diagonals(every: bool) -> Iterator[tuple[tuple[type, Example], type, Example, type]]:
    """Every model, fitting problem and optimiser; first those that meet as many new kinds as they can."""
    optimizers, places = (
        kinds_of(Optimizer),
        [
            (model, problem, example)
            for model in models_of(Model)
            for problem in kinds_of(Problem)
            for example in fitting_examples(model[1], problem)
        ],
    )
    for shift, (number, (model, problem, example)) in product(range(len(optimizers)), enumerate(places)):
        yield model, problem, example, optimizers[shift if every else (shift + number) % len(optimizers)]


def engines(model: type[ModelBase], optimizer: type[OptimizerBase]) -> tuple[str, ...]:
    """The engines that these kinds have, where the problem allows them."""
    if optimizer.is_flow:
        return ("flow",)
    return ("fused", "torch") if model.is_fusable and optimizer.is_fusable else ("torch",)


class Pairs:
    """Which pairs of kinds, of two different sorts, have been together."""

    def __init__(self) -> None:
        self._together: set[frozenset[tuple[str, str]]] = set()

    def lack(self, pairs: Iterable[Mapping[str, str]]) -> bool:
        """Whether some of these have not been together."""
        return any(frozenset(pair.items()) not in self._together for pair in pairs)

    def add(self, pairs: Iterable[Mapping[str, str]]) -> None:
        """These have been together."""
        self._together |= {frozenset(pair.items()) for pair in pairs}


def scheduled(every: bool = False) -> Iterator[Combination]:
    """Every optimiser that takes steps on every engine, with two schedules in turns, or all; decays take turns."""
    decays, turns = cycle((("coupled", "decoupled"), ("decoupled", "coupled"))), cycle(SCHEDULES.values())
    kinds = [kind for kind in kinds_of(Optimizer) if not kind.is_flow]
    several = [(kind, schedule) for kind in kinds for schedule, _ in zip(turns, range(2), strict=False)]
    for kind, schedule in product(kinds, SCHEDULES.values()) if every else several:
        for modelled, decay in product(variants(DeepMatrix, example_of(DeepMatrix)), next(decays)):
            factors = [1.0, 0.5, 1.0][: modelled["depth"]]
            of_rate = {"learning_rate": example_of(schedule), "learning_rate_factors": factors}
            optimizer = {**example_of(kind), **of_rate, "weight_decay": 0.01, "decay": decay}
            parts = {"model": modelled, "problem": example_of(LowRankCompletion)}
            parts |= {"optimizer": optimizer, "init": example_of(Gaussian)}
            if found := list(on_engines((DeepMatrix, LowRankCompletion, kind, Gaussian), parts)):
                yield from found
                break


def disturbed(every: bool = False) -> Iterator[Combination]:
    """Every model with every problem, and every optimiser that takes steps; batches and noise take turns."""
    turns, descents = cycle(disturbances()), [kind for kind in kinds_of(Optimizer) if not kind.is_flow]
    models, others = [kind for kind in kinds_of(Model) if kind.is_trained], cycle(descents)
    for model, problem in product(models, kinds_of(Problem)):
        for example in fitting_examples(example_of(model), problem)[: None if every else 1]:
            yield from _disturbed(model, problem, example, next(others), next(turns))
    several = [
        (optimizer, disturbance) for optimizer in descents for disturbance, _ in zip(turns, range(3), strict=False)
    ]
    for optimizer, disturbance in product(descents, disturbances()) if every else several:
        yield from _disturbed(DeepMatrix, LowRankCompletion, example_of(LowRankCompletion), optimizer, disturbance)


def disturbances() -> list[dict[str, Any]]:
    """Fields of an optimiser: every kind of batch with every kind of noise, and each without the other."""
    batches = [{"batch": {**Batch.example, "replacement": replacement}} for replacement in (False, True)]
    both = product([{}, *batches], [{}, *({"noise": noise} for noise in noises())])
    return [batch | noise for batch, noise in both if batch or noise]


def noises() -> list[dict[str, Any]]:
    """Every kind of noise of every distribution."""
    kinds, distributions = (get_args(Noise.model_fields[name].annotation) for name in ("kind", "distribution"))
    return [{**Noise.example, "kind": kind, "distribution": one} for kind, one in product(kinds, distributions)]


def _disturbed(
    model: type, problem: type, example: dict[str, Any], optimizer: type, disturbance: dict[str, Any]
) -> Iterator[Combination]:
    parts = {"model": example_of(model), "problem": example, "init": example_of(Gaussian)}
    parts |= {"optimizer": {**example_of(optimizer), **disturbance}}
    yield from on_engines((model, problem, optimizer, Gaussian), parts)


class Turns:
    """Hands out the kinds of starts in turn, leaving out those that do not fit."""

    def __init__(self) -> None:
        self._waiting = list(kinds_of(Start))

    def first_that_fits(self, kinds: tuple[type, type, type], parts: dict[str, Any]) -> list[Combination]:
        """The combinations with the start whose turn it is; it goes to the end of the queue."""
        for start in tuple(self._waiting):
            if found := list(on_engines((*kinds, start), parts | {"init": example_of(start)})):
                self._waiting.remove(start)
                self._waiting.append(start)
                return found
        return []
