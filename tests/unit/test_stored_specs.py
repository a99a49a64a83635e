"""Specs of stored runs come back as they were submitted, whatever was parsed before them."""

import pytest

from service.values.specs import digest_without_seed, parse_spec
from tests.helpers.specs import BASIC, FLOW, spec
from workers.runs.spec import RunSpec


@pytest.mark.parametrize("base", [BASIC, FLOW])
def test_specs_that_differ_by_their_seed_keep_it(base):
    specs = [RunSpec.model_validate({**base, "seed": seed}) for seed in (3, 0, 3, 2**53 - 1)]
    parsed = [parse_spec(run.resolved()) for run in specs]
    assert parsed == specs
    assert [run.resolved() for run in parsed] == [run.resolved() for run in specs]


def test_specs_that_differ_otherwise_are_told_apart():
    runs = [spec(), spec(stop={"max_steps": 7}), spec(problem={**BASIC["problem"], "epsilon": -0.0})]
    assert [parse_spec(run.resolved()) for run in runs] == runs
    assert len({digest_without_seed(run.resolved()) for run in runs}) == 3
