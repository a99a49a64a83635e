"""Alone = batched = split = extended, to the bit, of runs with any rates and decays, on both engines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.slices import EXACT, assert_same, assert_same_progress, points_of, points_of_run, run_in_slices
from tests.helpers.specs import member, run_whole, spec
from tests.kinds.examples import kinds_of
from workers.records import Batch, Budget
from workers.runs.engines import batch_key
from workers.runs.optimizers import Optimizer
from workers.runs.rates import SCHEDULES
from workers.slices import run_slice

pytestmark = pytest.mark.slow

DESCENTS = {
    engine: [
        {name: value for name, value in kind.example.items() if name != "learning_rate"}
        for kind in kinds_of(Optimizer)
        if not kind.is_flow and (kind.is_fusable or engine == "torch")
    ]
    for engine in ("torch", "fused")
}
MODELS = {"scaled_gradient_descent": {"kind": "deep_matrix", "depth": 2}}
MODELS["mirror_descent"] = {"kind": "deep_matrix", "depth": 1}
"""Of optimisers that do not fit depth 3."""
SCHEDULED = [{**schedule.example} for schedule in SCHEDULES.values() if not schedule.is_adaptive]
LENGTH = 40


@st.composite
def batches(draw, engine):
    """Runs that share a batch: one optimiser and manner of decay, each with its own schedule, decay and factors."""
    shared = draw(st.sampled_from(DESCENTS[engine])) | {"decay": draw(st.sampled_from(["coupled", "decoupled"]))}
    model = MODELS.get(shared["kind"], {"kind": "deep_matrix", "depth": 3})
    is_adaptive, decays = draw(st.booleans()), draw(st.booleans())
    if shared["kind"] == "mirror_descent":
        shared["decay"] = "coupled"
    elif draw(st.booleans()):
        shared["frozen"] = [1]
    precision = draw(st.sampled_from(["float64", "float32"]))
    runs = []
    for seed in range(3):
        adaptive = {"kind": "polyak", "most": draw(st.sampled_from([0.01, 0.05]))}
        rate = adaptive if is_adaptive else draw(st.sampled_from([0.02, 0.05, *SCHEDULED]))
        every = draw(st.integers(1, 9))  # a run ends at a point of its schedule, so that a longer run has it, too
        optimizer = {**shared, "learning_rate": rate, "weight_decay": draw(st.sampled_from([0.1, 1.0])) * decays}
        if draw(st.booleans()):
            optimizer["learning_rate_factors"] = [1.0, 2.0, 0.5][: model["depth"]]
        runs.append(
            spec(
                model=model,
                optimizer=optimizer,
                init={"kind": "gaussian", "std": 0.4},
                stop={
                    "max_steps": every * draw(st.integers(1, LENGTH // every)),
                    "loss_below": draw(st.sampled_from([None, 0.3])),
                },
                record={"every": every},
                engine=engine,
                precision=precision,
                seed=seed,
            )
        )
    assert len({batch_key(run) for run in runs}) == 1
    return runs


@pytest.mark.parametrize("engine", ["torch", "fused"])
def test_bits(engine):
    examples = settings(derandomize=True, deadline=None, max_examples=30 if engine == "torch" else 14)

    @examples
    @given(batches(engine), st.lists(st.integers(1, 20), min_size=1, max_size=3))
    def hold(runs, cuts):
        whole = run_whole(*runs)
        sliced, points = run_in_slices(runs, [*cuts, 50])
        assert_same(points, points_of(whole), **EXACT)
        for number, run in enumerate(runs):
            assert_same_progress(sliced.progress[number], whole.progress[number])
            alone = run_whole(run)
            assert_same_progress(alone.progress[0], whole.progress[number])
            assert_same(points_of(alone), points_of_run(whole, number), **EXACT)
            _extended(run, whole, number)

    hold()


def _extended(run, whole, number):
    if whole.progress[number].outcome != "budget_exhausted":
        return
    longer = run.model_copy(update={"stop": run.stop.model_copy(update={"max_steps": run.max_steps + 30})})
    rest = run_slice(Batch((member(longer, whole.progress[number].checkpoint),)), Budget(600))
    asked = run_whole(longer)
    assert_same_progress(rest.progress[0], asked.progress[0])
    later, every = points_of(rest), points_of(asked)
    assert_same(later, {key: every[key] for key in later}, **EXACT)


@pytest.mark.parametrize("constants", DESCENTS["fused"], ids=lambda constants: constants["kind"])
def test_engines_agree_on_schedules_and_decay(constants):
    for schedule in SCHEDULED:
        optimizer = {**constants, "learning_rate": schedule, "weight_decay": 0.1, "decay": "decoupled"}
        both = [
            run_whole(spec(optimizer=optimizer, stop={"max_steps": 60}, record={"every": 6}, engine=engine))
            for engine in ("torch", "fused")
        ]
        for name in ("loss", "time", "objective"):
            ours, theirs = (one.points.columns[name] for one in both)
            np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_a_schedule_splits_no_batch_and_a_decay_shares_one():
    def key(**optimizer):
        return batch_key(spec(optimizer={"kind": "gradient_descent", "learning_rate": 0.1, **optimizer}))

    assert key() == key(learning_rate=SCHEDULED[0]) == key(learning_rate_factors=[1, 2, 3])
    assert key(weight_decay=0.1) == key(weight_decay=0.2)
    apart = [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decay": "decoupled"}, {"frozen": [0]}]
    assert len({key(**one) for one in [*apart, {"learning_rate": {"kind": "polyak"}}]}) == 5
