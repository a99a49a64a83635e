import numpy as np
import pytest

from workers.lab.engines.stopping import NEVER, LossLimits, find_stops
from workers.records import Outcome
from workers.runs.milestones import NOT_YET
from workers.runs.stops import Stop


def stops(losses, limit=0.1, steps_left=100, first_slot=1, broken=NEVER):
    column = np.array(losses, dtype=float)[:, None]
    limits = LossLimits([Stop(max_steps=100, loss_below=limit)])
    reached, _ = limits.first_met(column, first_slot, np.array([0]), np.array([NOT_YET]))
    found = find_stops(column, first_slot, reached, np.array([steps_left]), np.array([broken]))
    return int(found.slot[0]), found.outcome[0]


def first_met(losses, every, in_a_row, cut=None):
    """The step at which a rule is met by the losses of steps 0, 1, ..., seen in pieces of `cut` steps."""
    limits = LossLimits([Stop(max_steps=100, loss_below=0.1, check_every=every, checks_in_a_row=in_a_row)])
    failed_check, cut = np.array([NOT_YET]), cut or len(losses)
    for first in range(0, len(losses), cut):
        piece = np.array(losses[first : first + cut], dtype=float)[:, None]
        reached, failed = limits.first_met(piece, 1, np.array([first - 1]), failed_check)
        if reached[0] != NEVER:
            return first - 1 + int(reached[0])
        failed_check = failed[-1]
    return None


def test_a_run_that_goes_on_reaches_the_last_slot():
    assert stops([3, 2, 1]) == (3, None)


def test_the_limit_is_strict_and_the_first_step_below_counts():
    assert stops([3, 0.1, 0.09, 0.01]) == (3, Outcome.CONVERGED)


def test_steps_run_out():
    assert stops([3, 2, 1], steps_left=2) == (2, Outcome.BUDGET_EXHAUSTED)
    assert stops([3], steps_left=0, first_slot=0) == (0, Outcome.BUDGET_EXHAUSTED)


def test_converging_at_the_last_allowed_step_is_converging_and_after_it_is_not():
    assert stops([3, 0.01], steps_left=2) == (2, Outcome.CONVERGED)
    assert stops([3, 0.01], steps_left=1) == (1, Outcome.BUDGET_EXHAUSTED)


def test_divergence_keeps_the_last_finite_state():
    assert stops([3, 1e300, np.inf, np.nan]) == (2, Outcome.DIVERGED)
    assert stops([np.nan, 1.0]) == (0, Outcome.DIVERGED)
    assert stops([3, 2, 1], broken=3) == (2, Outcome.DIVERGED)
    assert stops([3, 2, np.inf], steps_left=2) == (2, Outcome.BUDGET_EXHAUSTED)


def test_a_limit_that_must_hold_at_several_checks():
    losses = [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert first_met(losses, every=1, in_a_row=1) == 1
    assert first_met(losses, every=1, in_a_row=3) == 6
    assert first_met(losses, every=2, in_a_row=1) == 2
    assert first_met(losses, every=2, in_a_row=3) == 6  # step 3 is not looked at
    assert first_met(losses, every=3, in_a_row=2) == 9
    assert first_met([0] * 5, every=2, in_a_row=2) == 2
    assert first_met([0] * 5, every=2, in_a_row=4) is None


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
@pytest.mark.parametrize(("every", "in_a_row"), [(1, 3), (2, 1), (3, 2), (4, 3)])
def test_checks_in_a_row_are_counted_across_pieces(every, in_a_row, cut):
    losses = np.random.default_rng(7).choice([0, 0, 0, 1], 80)
    assert first_met(losses, every, in_a_row, cut) == first_met(losses, every, in_a_row)
