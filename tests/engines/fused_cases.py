"""Batches for the tests of the fused engine, and what came out of them, ready to be compared."""

from typing import Any

import numpy as np

from workers.lab.engines.descents import Clock, Descents, Engine, Snapshots
from workers.lab.engines.fused import engine as fused
from workers.records import Budget, Outcome
from workers.runs.costs import state_numbers
from workers.runs.initializers import starting_factors
from workers.runs.milestones import no_milestones
from workers.runs.spec import RunSpec


def spec(**changes: Any) -> RunSpec:
    """The basic 2 x 2 setting at depth 3, a few hundred to thousands of steps long, changed as asked."""
    basic = {
        "problem": {"kind": "perturbed_2x2"},
        "model": {"kind": "deep_matrix", "depth": 3},
        "init": {"kind": "gaussian", "std": 0.3},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 0.02},
        "stop": {"max_steps": 2000, "loss_below": 1e-3},
        "record": {"points_per_decade": 10},
    }
    return RunSpec.model_validate({**basic, **changes})


def descents(specs: list[RunSpec]) -> Descents:
    """Runs at step 0."""
    states = []
    for one in specs:
        flat = np.concatenate([factor.ravel() for factor in starting_factors(one)])
        states.append(np.pad(flat, (0, state_numbers(one) - len(flat))).astype(one.precision))
    runs = len(specs)
    return Descents(
        specs, np.zeros(runs, np.int64), np.array(states), no_milestones(runs), np.zeros(runs, bool), [None] * runs
    )


def ongoing(before: Descents, specs: list[RunSpec]) -> Descents:
    """The same runs, gone on with under other specs."""
    arrays = (before.steps.copy(), before.states.copy(), before.milestones.copy(), before.begun.copy())
    return Descents(specs, *arrays, [None] * len(specs))


class Result:
    """What a batch came to: its descents and its points by run and step."""

    def __init__(self, batch: Descents, parts: list[Snapshots]) -> None:
        self.batch = batch
        self.points: dict[tuple[int, int], bytes] = {}
        self.losses: dict[tuple[int, int], float] = {}
        for part in parts:
            for columns in zip(part.member, part.step, part.loss, part.factors, strict=True):
                for member, step, loss, factors in zip(*columns, strict=True):
                    assert (int(member), int(step)) not in self.points
                    self.points[int(member), int(step)] = loss.tobytes() + factors.tobytes()
                    self.losses[int(member), int(step)] = float(loss)

    def run(self, member: int) -> tuple[Any, ...]:
        """Everything about one run, to the bit."""
        batch = self.batch
        own = {step: point for (run, step), point in self.points.items() if run == member}
        arrays = batch.states[member].tobytes(), batch.milestones[member].tobytes()
        return int(batch.steps[member]), *arrays, batch.outcomes[member], own

    def every_run(self) -> list[tuple[Any, ...]]:
        return [self.run(member) for member in range(len(self.batch.specs))]


def carry_on(batch: Descents, cuts: list[int] | None = None, engine: Engine = fused.advance) -> Result:
    """Advance to the end, cut into slices of the given numbers of steps and then one without limit."""
    parts = [engine(batch, Clock(Budget(60, steps=steps)), "cpu") for steps in cuts or []]
    while None in batch.outcomes:
        parts.append(engine(batch, Clock(Budget(60)), "cpu"))
    return Result(batch, parts)


def complete(specs: list[RunSpec], cuts: list[int] | None = None, engine: Engine = fused.advance) -> Result:
    """Run specs from step 0 to their ends."""
    return carry_on(descents(specs), cuts, engine)


def outcome_counts(result: Result) -> set[Outcome | None]:
    """Which outcomes occurred."""
    return set(result.batch.outcomes)


CASES = {
    "depth 1": {"model": {"kind": "deep_matrix", "depth": 1}},
    "depth 2": {"model": {"kind": "deep_matrix", "depth": 2}},
    "depth 5": {"model": {"kind": "deep_matrix", "depth": 5}, "init": {"kind": "identity", "scale": 0.8}},
    "wide": {"model": {"kind": "deep_matrix", "depth": 4, "hidden_width": 3}},
    "narrow": {"model": {"kind": "deep_matrix", "depth": 3, "hidden_width": 1}},
    "rectangular": {
        "problem": {"kind": "low_rank_completion", "shape": [2, 4], "rank": 1, "observed": 5},
        "loss": "mse",
    },
    "momentum": {"optimizer": {"kind": "momentum", "learning_rate": 0.01, "beta": 0.8}},
    "mean squared error": {"loss": "mse"},
    "one observation": {
        "problem": {"kind": "completion", "shape": [3, 2], "observations": [{"index": [2, 1], "value": -1.0}]}
    },
    "symmetric": {"model": {"kind": "symmetric_matrix"}},
    "symmetric, narrow, with momentum": {
        "model": {"kind": "symmetric_matrix", "rank": 2},
        "problem": {"kind": "all_but_corner", "dimension": 3},
        "optimizer": {"kind": "momentum", "learning_rate": 0.01, "beta": 0.8},
    },
    "symmetric, wide, rolled loops": {
        "model": {"kind": "symmetric_matrix", "rank": 9},
        "problem": {"kind": "low_rank_completion", "shape": [8, 8], "rank": 2, "observed": 40},
        "loss": "mse",
    },
    "rolled loops": {
        "problem": {"kind": "all_but_corner", "dimension": 7},
        "optimizer": {"kind": "momentum", "learning_rate": 0.01},
        "loss": "mse",
    },
}
