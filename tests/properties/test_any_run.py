"""Any run of parts that fit together: alone = batched = split = extended, to the bit.

Loss x optimiser x schedule x decay x batch x noise x start x problem x model.
"""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.helpers.losses import fitted
from tests.helpers.slices import EXACT, assert_same, assert_same_progress, points_of, points_of_run, run_in_slices
from tests.helpers.specs import member, run_whole
from tests.kinds.combinations import noises
from tests.kinds.examples import example_of, kinds_of
from tests.kinds.fitting import changed, problem_examples, valid
from workers.records import Batch, Budget, Outcome
from workers.runs.engines import batch_key
from workers.runs.losses import Kinds
from workers.runs.models import Model
from workers.runs.optimizers import Optimizer
from workers.runs.problems import Problem
from workers.runs.rates import SCHEDULES
from workers.runs.starts import Start
from workers.slices import run_slice

pytestmark = pytest.mark.slow

MODELS = [example_of(kind) for kind in kinds_of(Model) if kind.is_trained]
PROBLEMS = [example for kind in kinds_of(Problem) for example in problem_examples(kind)]
LOSSES = [example_of(kind) for kind in kinds_of(Kinds)]
DESCENTS = [example_of(kind) for kind in kinds_of(Optimizer) if not kind.is_flow]
RATES = [0.02, *(example_of(schedule) for schedule in SCHEDULES.values())]
STARTS = [start for start in map(example_of, kinds_of(Start)) if start["kind"] not in ("explicit", "run")]
BATCHES = [{}, *({"batch": {"size": size, "replacement": again}} for size in (1, 2, 3) for again in (False, True))]
NOISES = [{}, *({"noise": noise} for noise in noises())]
STEPS = 24


@st.composite
def runs_of_a_batch(draw):
    """Two runs of any parts that fit together, which differ in their seeds and lengths.

    They end at steps that longer runs record, too: a sign that changes is noted at a recorded step.
    """
    every = draw(st.integers(1, 7))
    lengths = st.integers(1, STEPS // every).map(lambda points: points * every)
    decay = {
        "weight_decay": draw(st.sampled_from([0.0, 0.1])),
        "decay": draw(st.sampled_from(["coupled", "decoupled"])),
    }
    disturbance = draw(st.sampled_from(BATCHES)) | draw(st.sampled_from(NOISES))
    step = {"learning_rate": draw(st.sampled_from(RATES)), **decay, **disturbance}
    parts = {
        **fitted(draw(st.sampled_from(LOSSES)), draw(st.sampled_from(PROBLEMS))),
        "model": draw(st.sampled_from(MODELS)),
        "init": draw(st.sampled_from(STARTS)),
        "optimizer": {**draw(st.sampled_from(DESCENTS)), **step},
        "record": {"every": every},
        "engine": draw(st.sampled_from(["auto", "torch"])),
        "precision": draw(st.sampled_from(["float64", "float32"])),
    }
    first = valid(parts | {"stop": {"max_steps": draw(lengths)}})
    assume(first is not None)
    second = changed(first, seed=1, stop={"max_steps": draw(lengths)})
    assert batch_key(first) == batch_key(second)
    return [first, second]


@settings(max_examples=40)
@given(runs_of_a_batch(), st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_the_bits_are_those_of_the_run_by_itself(runs, cuts):
    whole = run_whole(*runs)
    sliced, points = run_in_slices(runs, [*cuts, 2 * STEPS])
    assert_same(points, points_of(whole), **EXACT)
    for number, run in enumerate(runs):
        assert_same_progress(sliced.progress[number], whole.progress[number])
        alone = run_whole(run)
        assert_same_progress(alone.progress[0], whole.progress[number])
        assert_same(points_of(alone), points_of_run(whole, number), **EXACT)
        if whole.progress[number].outcome is Outcome.BUDGET_EXHAUSTED:
            check_extended(run, whole.progress[number].checkpoint)


def check_extended(run, checkpoint):
    """What goes on from a checkpoint ends as what was asked for from the start."""
    longer = changed(run, stop={"max_steps": run.max_steps + 7})
    rest, asked = run_slice(Batch((member(longer, checkpoint),)), Budget(600)), run_whole(longer)
    assert_same_progress(rest.progress[0], asked.progress[0])
    every, later = points_of(asked), points_of(rest)
    assert later.keys() <= every.keys()
    assert_same(later, {key: every[key] for key in later}, **EXACT)
