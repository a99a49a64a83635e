"""The loss and the gradient of every kind of model on every kind of problem, against autograd."""

from itertools import cycle

import pytest
import torch

from tests.helpers.losses import fitted, loss_by_definition
from tests.kinds.combining import is_trained
from tests.kinds.examples import example_of, kinds_of, models_of
from tests.kinds.fitting import fitting_examples, training, valid
from workers.lab.models.base import build_model, maths_of
from workers.runs.costs import observes_few_entries
from workers.runs.losses import Kinds
from workers.runs.models import Model
from workers.runs.problems import Problem
from workers.runs.spec import RunSpec

RUNS = 3
LOSSES = 3
"""On each problem, in turns."""
FEW_ENTRIES = {
    "kind": "completion",
    "shape": [4] * 5,
    "observations": [{"index": [i % 4, 3 - i % 4, i % 3, 1, i // 4], "value": i - 4.5} for i in range(12)],
}
"""So few of so many entries are computed by themselves where a model can."""


def specs() -> list[RunSpec]:
    losses = cycle(map(example_of, kinds_of(Kinds)))
    parts = (
        {"model": model} | fitted(next(losses), problem)
        for _, model in models_of(Model)
        for problem in (*problems_of(model), FEW_ENTRIES)
        for _ in range(LOSSES)
    )
    fitting = [valid(training() | chosen) for chosen in parts]
    return [spec for spec in fitting if spec is not None and is_trained(spec)]


def problems_of(model):
    """Every problem that a model takes."""
    return [example for kind in kinds_of(Problem) for example in fitting_examples(model, kind)]


def name_of(spec):
    return "-".join((spec.model.kind, spec.problem.kind, "x".join(map(str, spec.problem.shape)), spec.loss.kind))


@pytest.mark.parametrize("spec", specs(), ids=name_of)
def test_loss_and_gradient_equal_autograd(spec):
    generator = torch.Generator().manual_seed(0)
    factors = [
        torch.randn(RUNS, *shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in spec.factor_shapes
    ]
    products = maths_of(spec.model, spec.problem.shape).product(factors).reshape(RUNS, *spec.problem.shape)
    losses = torch.stack([loss_by_definition(spec, whole) for whole in products])
    expected = torch.autograd.grad(losses.sum(), factors)
    gradient, twice_loss = [torch.empty_like(f) for f in factors], torch.empty(RUNS, 1, 1, dtype=torch.float64)
    with torch.no_grad():
        build_model([spec] * RUNS, gradient).bind(factors, twice_loss)()
    torch.testing.assert_close(twice_loss[:, 0, 0] / 2, losses.detach(), rtol=1e-12, atol=1e-12)
    for ours, autograds in zip(gradient, expected, strict=True):
        torch.testing.assert_close(ours, autograds, rtol=1e-11, atol=1e-12)


def test_both_ways_to_evaluate_entries_are_among_them():
    assert {observes_few_entries(spec) for spec in specs()} == {True, False}
