"""There is an example of every kind, and it is one."""

import pytest
from pydantic import TypeAdapter

from tests.kinds.examples import EXAMPLES, example_of, kinds_of
from workers.runs.models import Model
from workers.runs.optimizers import Optimizer
from workers.runs.problems import Problem
from workers.runs.starts import Start

UNIONS = (Model, Problem, Optimizer, Start)
KINDS = [(union, kind) for union in UNIONS for kind in kinds_of(union)]


def test_the_examples_are_those_of_the_unions():
    assert set(EXAMPLES) == {kind for _, kind in KINDS}


@pytest.mark.parametrize(("union", "kind"), KINDS, ids=[kind.__name__ for _, kind in KINDS])
def test_an_example_is_read_as_its_kind(union, kind):
    assert type(TypeAdapter(union).validate_python(example_of(kind))) is kind
