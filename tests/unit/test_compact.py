"""Long lists of observations: read as before, kept as arrays, shared by the runs of a sweep."""

import json
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from service.errors import InvalidPayload
from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.use_cases.payloads import parse_runs
from tests.helpers.specs import BASIC
from workers.runs.observations import observe
from workers.runs.problems import Completion, Sensing
from workers.runs.problems.compact import AT_ONCE, Compact
from workers.runs.problems.completion import Observation
from workers.runs.problems.sensing import Measurement

RUN = {**BASIC, "init": {"kind": "gaussian", "std": 0.1}}
NUMBERS = st.sampled_from([0, 1, 2, 1.0, 0.5, -1, True, None, "1", [], 2**53, 10**30, float("nan"), float("inf")])
ITEMS = st.fixed_dictionaries(
    {"index": st.lists(NUMBERS, max_size=3) | NUMBERS, "value": NUMBERS}, optional={"more": NUMBERS}
)
USUAL = st.fixed_dictionaries(
    {"index": st.tuples(st.integers(0, 9), st.integers(0, 9)).map(list), "value": st.floats(-1, 1) | st.integers(-3, 3)}
)
PLAIN = TypeAdapter(Annotated[tuple[Observation, ...], Field(min_length=1)])


def where_wrong(error: ValidationError, above: int):
    return [(mistake["loc"][above:], mistake["type"]) for mistake in error.errors()][:20]


def read_or_refused(read):
    try:
        return read(), None
    except ValidationError as error:
        return None, error


@settings(max_examples=300)
@given(st.lists(USUAL | ITEMS, min_size=1, max_size=6) | st.lists(USUAL, min_size=1, max_size=9))
def test_a_list_of_entries_is_read_as_if_item_by_item(items):
    expected, error = read_or_refused(lambda: PLAIN.validate_python(items))
    problem, refusal = read_or_refused(
        lambda: Completion.model_validate({"kind": "completion", "shape": [10, 10], "observations": items})
    )
    if error is not None:
        assert where_wrong(refusal, 1) == where_wrong(error, 0)
        return
    indices = [item.index for item in expected]
    fits = len(set(indices)) == len(indices) and all(len(index) == 2 and max(index) < 10 for index in indices)
    assert (problem is not None) == fits
    if not fits:
        assert refusal.errors()[0]["type"] == "misfit"
        return
    assert isinstance(problem.observations, Compact)
    assert tuple(problem.observations) == expected
    assert problem.observations.as_json() == [item.model_dump(mode="json") for item in expected]


@pytest.mark.parametrize("wrong", [{"index": [0, "x"], "value": 1.0}, {"index": [0, 0]}, {"index": [0], "value": 1.0}])
def test_of_many_items_the_wrong_item_is_pointed_at_and_of_many_wrong_items_only_some(wrong):
    right = [{"index": [i // 100, i % 100], "value": 0.5} for i in range(3 * AT_ONCE)]
    for items in ([*right, wrong], [*right, *[wrong] * 5 * AT_ONCE]):
        with pytest.raises(ValidationError) as refused:
            Completion.model_validate({"kind": "completion", "shape": [100, 100], "observations": items})
        mistakes = refused.value.errors()
        pointer = (*mistakes[0]["loc"], *mistakes[0].get("ctx", {}).get("pointer", ()))
        assert pointer[:2] == ("observations", 3 * AT_ONCE)
        assert len(mistakes) <= AT_ONCE


def test_a_list_is_equal_and_hashed_by_its_content_and_comes_back_from_json():
    values = {"kind": "completion", "shape": [2, 2], "observations": [{"index": [0, 1], "value": -0.0}]}
    first, again = Completion.model_validate(values), Completion.model_validate_json(json.dumps(values))
    assert first == again
    assert hash(first) == hash(again)
    assert first != Completion.model_validate({**values, "observations": [{"index": [0, 1], "value": 0.5}]})
    assert Completion.model_validate(first.model_dump(mode="json")) == first
    assert first.observations[0] == Observation(index=(0, 1), value=0.0)
    assert len(first.observations[:1]) == 1


def test_measurements_are_kept_as_arrays():
    tensors = [[[1, 0.5], [0, 0]], [[0.0, 1.0], [1.0, 0.5]]]
    values = {"kind": "sensing", "shape": [2, 2], "measurements": [{"tensor": t, "value": 1} for t in tensors]}
    problem = Sensing.model_validate(values)
    assert isinstance(problem.measurements, Compact)
    assert problem.measurements[0] == Measurement(tensor=((1.0, 0.5), (0.0, 0.0)), value=1.0)
    assert Sensing.model_validate_json(problem.model_dump_json()) == problem
    assert observe(problem).tensors.tolist() == [[1.0, 0.5, 0.0, 0.0], [0.0, 1.0, 1.0, 0.5]]


def observations(count):
    return [{"index": [number // 200, number % 200], "value": 0.5} for number in range(count)]


@pytest.mark.parametrize("axis", ["seed", "optimizer.learning_rate", "init.std", "model.depth"])
def test_the_runs_of_a_sweep_share_their_observations(axis, monkeypatch, database):
    run = {**RUN, "problem": {"kind": "completion", "shape": [200, 200], "observations": observations(4000)}}
    request = ExperimentRequest(run=run, sweep=[{axis: [1, 2, 3, 4]}])
    made = list[Compact]()
    make = Compact.__init__

    def counted(self, *arguments):
        made.append(self)
        make(self, *arguments)

    monkeypatch.setattr(Compact, "__init__", counted)
    specs = list(parse_runs(request, Limits(), database))
    assert len(made) == 1
    assert {id(spec.problem.observations) for spec in specs} == {id(made[0])}


def test_a_swept_problem_is_read_for_each_of_its_values_once(database):
    problems = [
        {"kind": "completion", "shape": [9, 9], "observations": [{"index": [0, i], "value": 1}]} for i in (1, 2)
    ]
    request = ExperimentRequest(run=RUN, sweep=[{"problem": problems}, {"seed": [1, 2]}, {"init.std": [1, 2]}])
    specs = list(parse_runs(request, Limits(), database))
    assert len({id(spec.problem) for spec in specs}) == 2
    assert [spec.problem.observations[0].index for spec in specs] == [(0, 1)] * 4 + [(0, 2)] * 4
    assert [(spec.seed, spec.init.std) for spec in specs[:4]] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_a_wrong_seed_far_in_a_sweep_is_pointed_at(database):
    request = ExperimentRequest(run=RUN, sweep=[{"init.std": [1, 2]}, {"seed": [1, 2, -3]}])
    with pytest.raises(InvalidPayload) as refused:
        list(parse_runs(request, Limits(), database).groups())
    assert refused.value.errors[0].pointer == "/sweep/1/seed/2"
