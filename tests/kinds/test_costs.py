"""What a step is said to cost, against a count of the operations that torch does in one."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.helpers.losses import fitted
from tests.kinds.examples import example_of, kinds_of, models_of
from tests.kinds.fitting import fitting_examples, training, valid, variants
from workers.lab.decays import build_optimizer
from workers.lab.models import base, cp_tensor
from workers.lab.models.layout import FactorLayout
from workers.lab.optimizers import build_gradient
from workers.runs.costs import multiply_adds_per_step
from workers.runs.losses import Kinds
from workers.runs.models import Model
from workers.runs.optimizers import Optimizer
from workers.runs.problems import LowRankCompletion, LowRankSensing, Problem
from workers.runs.spec import RunSpec

MATRIX_PRODUCTS = ("bmm", "mm")
FREE = ("empty", "new_empty", "copy_", "_to_copy", "clone", "zero_", "zeros_like", "empty_like")
FREE += ("index_copy_", "index_select")
DECOMPOSITIONS: dict[str, Callable[..., int]] = {
    "linalg_svd": lambda runs, *sides: runs * (6 * max(sides) * min(sides) ** 2 + 22 * min(sides) ** 3),
    "_linalg_svd": lambda runs, *sides: runs * (6 * max(sides) * min(sides) ** 2 + 22 * min(sides) ** 3),
    "_linalg_eigh": lambda runs, size, _: runs * 9 * size**3,
    "_linalg_solve_ex": lambda runs, size, _: runs * (2 * size**3 // 3 + 2 * size**3),
}
"""Operations of what LAPACK does, by the shape of its argument (Golub and Van Loan 2013)."""
RUNS = 16
"""In a batch, as products of several runs are made in blocks."""
LARGER = {**example_of(LowRankCompletion), "shape": [8, 8], "observed": 30}
"""Large enough for an update of so many operations not to cost more than the gradient."""
MEASURED = {**example_of(LowRankSensing), "shape": [4, 4], "measurements": 64}
"""Whole vectors of measurements, which are what a loss is taken of."""


class OperationCounter(TorchDispatchMode):
    """Counts multiplications and additions: two for each of a matrix product, one for each entry that is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in MATRIX_PRODUCTS:
            self.operations += 2 * args[0].numel() * args[1].shape[-1]
        elif name in DECOMPOSITIONS:
            self.operations += DECOMPOSITIONS[name](*args[0].shape)
        elif name == "addcmul":
            self.operations += 2 * result.numel()
        elif isinstance(result, torch.Tensor) and not func.is_view and name not in FREE:
            self.operations += result.numel()
        return result


def counted_multiply_adds(spec: RunSpec) -> float:
    """Half the operations of a step of the torch engine, for each run of a batch; a mean where steps differ."""
    steps = getattr(spec.optimizer, "every", 1)
    layout = FactorLayout(spec.factor_shapes, RUNS)
    slots, scalars = spec.optimizer.slots, spec.optimizer.state_scalars
    matrices = [(RUNS, *shape) for shape in spec.optimizer.matrices(spec.factor_shapes)]
    before, after = (
        [
            *torch.rand(slots, layout.size).double(),
            *(torch.rand(shape).double() for shape in matrices),
            *torch.rand(scalars, RUNS).double(),
        ]
        for _ in range(2)
    )
    gradient, loss = torch.rand(layout.size).double(), torch.zeros(RUNS, 1, 1).double()
    optimizer = build_optimizer([spec] * RUNS, layout, torch.float64, torch.device("cpu"), steps)
    optimizer.prepare(np.full(RUNS, steps, dtype=np.int64), steps)
    evaluate = build_gradient([spec] * RUNS, layout, gradient).bind(layout.blocks(after[0]), loss)
    with torch.no_grad(), OperationCounter() as counter:
        for number in range(1, steps + 1):
            optimizer.step(before, gradient, after, number, loss[:, 0, 0])
            evaluate()
    return counter.operations / 2 / RUNS / steps


def stepping(*choices: dict[str, Any]) -> list[RunSpec]:
    """The specs of runs that take steps, of those parts that fit together."""
    fitting = [valid(training() | parts) for parts in choices]
    return [spec for spec in fitting if spec is not None and spec.descends]


MODELS = [{"model": one} for kind, example in models_of(Model) for one in variants(kind, example)]
OPTIMIZERS = [{"problem": LARGER, "optimizer": example_of(kind)} for kind in kinds_of(Optimizer)]
LOSSES = [fitted(example_of(kind), problem) for kind in kinds_of(Kinds) for problem in (LARGER, MEASURED)]


def problems_of(model: dict[str, Any]) -> list[dict[str, Any]]:
    """Every problem that a model takes."""
    return [{"problem": one} for kind in kinds_of(Problem) for one in fitting_examples(model["model"], kind)]


TURNS = (cycle(OPTIMIZERS), cycle(LOSSES))
"""Of the first models each meets every optimiser and loss, of the others two and two."""


def others_of(number: int, model: dict[str, Any]) -> list[dict[str, Any]]:
    """What a model meets."""
    some = [next(turn) for turn in TURNS for _ in range(2)]
    return [*problems_of(model), *([*OPTIMIZERS, *LOSSES] if number < 3 else some)]


SPECS = stepping(*(model | other for number, model in enumerate(MODELS) for other in others_of(number, model)))


def name_of(spec: RunSpec) -> str:
    shape = "x".join(map(str, spec.problem.shape))
    return "-".join((spec.model.kind, str(spec.depth), spec.problem.kind, shape, spec.optimizer.kind, spec.loss.kind))


@pytest.mark.parametrize("spec", SPECS, ids=name_of)
def test_a_step_costs_what_is_said_within_a_factor_of_two(monkeypatch, spec):
    """Of tensors, the steps that torch takes where no code can be compiled, whose operations can be counted."""
    for module in (base, cp_tensor):
        monkeypatch.setattr(module, "is_available", lambda *_: False)
    counted = counted_multiply_adds(spec)
    assert counted / 2 <= multiply_adds_per_step(spec) <= 2 * counted


def test_every_problem_loss_and_optimizer_that_steps_is_among_them():
    assert {type(spec.loss) for spec in SPECS} == set(kinds_of(Kinds))
    assert {type(spec.problem) for spec in SPECS} == set(kinds_of(Problem))
    assert {type(spec.optimizer) for spec in SPECS} == {kind for kind in kinds_of(Optimizer) if not kind.is_flow}
