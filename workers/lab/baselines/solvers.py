"""The solver of each kind of baseline."""

from collections.abc import Callable
from typing import Any

from workers.lab.baselines.greedy_low_rank import learn_greedily
from workers.lab.baselines.least_l1 import minimise_l1
from workers.lab.baselines.least_q import minimise_q
from workers.lab.baselines.nuclear_norm import minimise_nuclear_norm
from workers.lab.baselines.soft_impute import impute
from workers.lab.baselines.solutions import Solution
from workers.runs.models import MODELS
from workers.runs.models.base import ModelBase
from workers.runs.models.greedy_low_rank import GreedyLowRank
from workers.runs.models.least_l1 import LeastL1
from workers.runs.models.least_q import LeastQ
from workers.runs.models.nuclear_norm import NuclearNorm
from workers.runs.models.soft_impute import SoftImpute
from workers.runs.spec import RunSpec

SOLVERS: dict[type[ModelBase], Callable[[Any, Any], Solution]] = {
    NuclearNorm: minimise_nuclear_norm,
    LeastL1: minimise_l1,
    LeastQ: minimise_q,
    SoftImpute: impute,
}
"""Solvers of a problem and a model, whatever the loss."""

assert {*SOLVERS, GreedyLowRank} == {model for model in MODELS.values() if not model.is_trained}


def solve(spec: RunSpec) -> Solution:
    """The solution of a run; runs that differ in nothing but their seed share it.

    Raises:
        NotSolved: there is none, or the solver's answer did not pass its certificate.
    """
    if isinstance(spec.model, GreedyLowRank):
        return learn_greedily(spec)
    return SOLVERS[type(spec.model)](spec.problem, spec.model)
