import numpy as np

from workers.engines.stopping import NEVER, find_stops
from workers.records import Outcome


def stops(losses, limit=0.1, steps_left=100, first_slot=1, broken=NEVER):
    column = np.array(losses, dtype=float)[:, None]
    found = find_stops(column, first_slot, np.array([limit]), np.array([steps_left]), np.array([broken]))
    return int(found.slot[0]), found.outcome[0]


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
