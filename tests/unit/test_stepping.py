"""Chunks on a GPU, with captures that only note what they were given: each slot is stepped into once, in order."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.helpers.specs import run_whole, spec
from workers.lab.engines.descent import stepping
from workers.lab.engines.descent.stepping import SEGMENT, EagerSteps, GraphedSteps


class Recorder:
    """Steps that write down their slots, and captures that do not run what they capture."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.captures = 0

    def step(self, slot: int) -> None:
        self.taken.append(slot)

    def capture(self, call: Callable[[], None]) -> Callable[[], None]:
        before = list(self.taken)
        call()
        slots, self.taken = self.taken[len(before) :], before
        self.captures += 1
        return lambda: self.taken.extend(slots)


def test_chunks_of_any_length_step_into_each_slot_once_and_in_order():
    recorder = Recorder()
    stepper = GraphedSteps(recorder.step, recorder.capture)
    for steps in (SEGMENT, 1, 5 * SEGMENT, 3 * SEGMENT + 5, SEGMENT - 1, 7 * SEGMENT + 1):
        recorder.taken.clear()
        stepper.take(steps)
        assert recorder.taken == list(range(1, steps + 1))
    assert recorder.captures == 7


def test_the_first_chunk_is_not_captured():
    recorder = Recorder()
    GraphedSteps(recorder.step, recorder.capture).take(3 * SEGMENT)
    assert recorder.captures == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("optimizer", ["gradient_descent", "momentum", "adam", "group_rmsprop"])
@pytest.mark.parametrize("model", ["deep_matrix", "cp_tensor"])
def test_graphs_give_the_bits_of_steps_launched_one_by_one(monkeypatch, model, optimizer):
    run = spec(
        problem={"kind": "low_rank_completion", "shape": [6, 6], "rank": 1, "observed": 20},
        model={"kind": model},
        init={"kind": "gaussian", "std": 0.3},
        optimizer={"kind": optimizer, "learning_rate": 1e-2},
        stop={"max_steps": 700},
        device="cuda",
    )
    graphed = run_whole(run, run)
    monkeypatch.setattr(stepping, "GraphedSteps", EagerSteps)
    eager = run_whole(run, run)
    np.testing.assert_array_equal(graphed.progress[0].checkpoint.state, eager.progress[0].checkpoint.state)
