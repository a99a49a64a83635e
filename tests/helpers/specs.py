"""Specs that tests begin from."""

import json
from typing import Any

from workers.records import Batch, Budget, Checkpoint, Member
from workers.results import SliceResult
from workers.runs.spec import RunSpec
from workers.slices import run_slice

BASIC: dict[str, Any] = {
    "problem": {"kind": "perturbed_2x2"},
    "model": {"kind": "deep_matrix", "depth": 3},
    "init": {"kind": "gaussian", "std": 1e-2, "std_of": "product", "determinant": "positive"},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-2},
    "stop": {"max_steps": 800, "loss_below": 1e-3},
    "engine": "torch",
}
"""Runs of depth 2 converge, those of depth 3 use up their steps."""

FLOW: dict[str, Any] = {
    "problem": {"kind": "perturbed_2x2"},
    "model": {"kind": "deep_matrix", "depth": 3},
    "init": {"kind": "identity", "scale": 0.1},
    "optimizer": {"kind": "gradient_flow"},
    "stop": {"max_time": 30.0},
    "record": {"points_per_decade": 20},
}


def flow(**changes: Any) -> RunSpec:
    """A flow of the basic setting with whole parts replaced."""
    return RunSpec.model_validate({**FLOW, **changes})


def spec(**changes: Any) -> RunSpec:
    """The basic spec with whole parts replaced."""
    return RunSpec.model_validate({**BASIC, **changes})


def member(run: RunSpec, checkpoint: Checkpoint | None = None) -> Member:
    return Member(json.dumps(run.resolved()), checkpoint)


def run_whole(*runs: RunSpec) -> SliceResult:
    """Run to the end in one slice."""
    return run_slice(Batch(tuple(member(run) for run in runs)), Budget(600))
