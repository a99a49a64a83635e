"""Every kind has all of its parts: an example, its mathematics, and what its class attributes promise."""

import pytest
from pydantic import TypeAdapter

from tests.kinds.examples import example_of, kinds_of
from workers.lab.losses import MATHS as LOSS_MATHS
from workers.lab.models.base import MATHS as MODEL_MATHS
from workers.lab.optimizers import MATHS as OPTIMIZER_MATHS
from workers.runs.losses import Kinds
from workers.runs.models import Model
from workers.runs.optimizers import Optimizer
from workers.runs.problems import Problem
from workers.runs.rates import SCHEDULES, LearningRate
from workers.runs.starts import Start

UNIONS = (Model, Problem, Optimizer, Start, Kinds)
KINDS = [(union, kind) for union in UNIONS for kind in kinds_of(union)]
KINDS += [(LearningRate, kind) for kind in SCHEDULES.values()]


@pytest.mark.parametrize(("union", "kind"), KINDS, ids=[kind.__name__ for _, kind in KINDS])
def test_an_example_is_read_as_its_kind(union, kind):
    assert "example" in vars(kind), f"{kind.__name__} has no example of its own"
    assert type(TypeAdapter(union).validate_python(example_of(kind))) is kind


def test_every_model_has_its_mathematics():
    assert set(MODEL_MATHS) == set(kinds_of(Model))


def test_every_loss_has_its_mathematics():
    assert set(LOSS_MATHS) == set(kinds_of(Kinds))


@pytest.mark.parametrize("kind", LOSS_MATHS, ids=lambda kind: kind.__name__)
def test_the_text_of_a_loss_reads_its_parameter_alone(kind):
    fused = LOSS_MATHS[kind].fused
    assert fused.constants == (() if kind.parameter is None else (kind.parameter,))
    assert [f"loss_{name}" in fused.statements for name in fused.constants] == [True] * len(fused.constants)


def test_every_optimizer_that_takes_steps_has_its_mathematics():
    assert set(OPTIMIZER_MATHS) == {kind for kind in kinds_of(Optimizer) if not kind.is_flow}


@pytest.mark.parametrize("kind", OPTIMIZER_MATHS, ids=lambda kind: kind.__name__)
def test_the_fused_engine_takes_the_optimizers_that_say_so(kind):
    fused = OPTIMIZER_MATHS[kind].fused
    assert kind.is_fusable == (fused is not None)
    if fused is not None:
        assert all(name in kind.model_fields or hasattr(kind, name) for name in fused.constants)
        assert all(table.field in kind.model_fields for table in fused.tables.values())
        assert [f"$slot{slot}" in fused.step for slot in range(kind.slots)] == [True] * kind.slots


@pytest.mark.parametrize("kind", [kind for _, kind in KINDS], ids=lambda kind: kind.__name__)
def test_a_kind_says_what_it_is(kind):
    """Its own docstring: it is what the documentation shows of it."""
    assert kind.__doc__
    assert all(kind.__doc__ != parent.__doc__ for parent in kind.__mro__[1:])
