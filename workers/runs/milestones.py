"""Milestones: the steps at which notable events of a run happened, carried from slice to slice.

One int64 row per run, in this order:
- the first step whose loss is below 10^0, 10^-1, ..., tested at every step;
- the first nonzero sign of the determinant;
- the first recorded step at which that sign had changed;
- the last step at which a check of the loss failed, for a run that does not end at the first step below its limit.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

LOSS_DECADES = ("1e0", *(f"1e-{decade}" for decade in range(1, 31)))
NOT_YET = -1
_THRESHOLDS = np.array([float(decade) for decade in LOSS_DECADES] + [-np.inf])
_SIGN, _CHANGED_AT, _FAILED_CHECK = (len(LOSS_DECADES) + offset for offset in range(3))
WIDTH = len(LOSS_DECADES) + 3

Milestones = npt.NDArray[np.int64]


def no_milestones(runs: int) -> Milestones:
    """Milestones of runs that have not begun, shape (runs, WIDTH)."""
    milestones = np.full((runs, WIDTH), NOT_YET, dtype=np.int64)
    milestones[:, _SIGN] = 0
    return milestones


def widened(milestones: Milestones) -> Milestones:
    """One run's row in the present width; checkpoints may have been stored when rows were shorter."""
    return np.pad(milestones, (0, WIDTH - len(milestones)), constant_values=NOT_YET)


def decades_reached(milestones: Milestones) -> npt.NDArray[np.int64]:
    """How many decades the loss of each run has been below, (runs,)."""
    return np.count_nonzero(milestones[:, : len(LOSS_DECADES)] != NOT_YET, axis=1)


def failed_checks(milestones: Milestones) -> npt.NDArray[np.int64]:
    """Step of each run's last failed check, (runs,); NOT_YET where none failed."""
    return milestones[:, _FAILED_CHECK]


def note_failed_checks(milestones: Milestones, runs: npt.NDArray[np.int64], steps: npt.NDArray[np.int64]) -> None:
    """Enter the steps of the last failed checks of some runs, in place; both (rows,)."""
    milestones[runs, _FAILED_CHECK] = steps


def of_next_phase(milestones: Milestones, step: int, check_every: int | None) -> Milestones:
    """One run's row as its next phase begins at `step`: no check of its loss has held yet.

    Args:
        check_every: of the next phase; None where the first step below the limit ends it.
    """
    row = milestones.copy()
    row[_FAILED_CHECK] = NOT_YET if check_every is None else step - step % check_every
    return row


def note_losses(milestones: Milestones, losses: npt.NDArray[Any], first_step: npt.NDArray[np.int64]) -> None:
    """Enter the first step below each decade, in place.

    Args:
        milestones: (runs, ...).
        losses: (steps, runs), losses of consecutive steps; infinite where a run is already over.
        first_step: (runs,), the step of the first row.
    """
    lowest = losses.min(axis=0)
    reached = decades_reached(milestones)
    for run in np.nonzero(lowest < _THRESHOLDS[reached])[0]:
        for decade in range(reached[run], len(LOSS_DECADES)):
            if not lowest[run] < _THRESHOLDS[decade]:
                break
            milestones[run, decade] = first_step[run] + np.argmax(losses[:, run] < _THRESHOLDS[decade])


def forget_losses(milestones: Milestones, step: int) -> None:
    """Take back, in place, the decades that one run's loss first went below at `step`."""
    decades = milestones[: len(LOSS_DECADES)]
    decades[decades == step] = NOT_YET


def note_determinant_signs(milestones: Milestones, steps: npt.NDArray[Any], signs: npt.NDArray[Any]) -> None:
    """Enter one run's determinant signs at its recorded steps, in place.

    Args:
        milestones: one run's row.
        steps: (points,), ascending.
        signs: (points,), each -1, 0 or 1.
    """
    if milestones[_CHANGED_AT] != NOT_YET or not len(steps):
        return
    signs = np.nan_to_num(signs)  # a state that is not finite has no sign
    if milestones[_SIGN] == 0 and signs.any():
        milestones[_SIGN] = signs[np.argmax(signs != 0)]
    changed = signs * milestones[_SIGN] < 0
    if changed.any():
        milestones[_CHANGED_AT] = steps[np.argmax(changed)]


def forget_point(row: bytes, step: int, *, has_sign: bool) -> bytes:
    """One run's stored row without the milestones that rest on its last recorded point alone, the one at `step`.

    Args:
        has_sign: whether an earlier recorded point had a nonzero sign.
    """
    milestones = widened(np.frombuffer(row, dtype=np.int64)).copy()
    if milestones[_CHANGED_AT] == step:
        milestones[_CHANGED_AT] = NOT_YET
    if not has_sign:
        milestones[_SIGN] = 0
    return milestones.tobytes()


def milestone_columns(milestones: Milestones) -> dict[str, list[Any]]:
    """The milestones of all runs under their names in a summary."""
    reached = [
        {name: step for name, step in zip(LOSS_DECADES, row, strict=False) if step != NOT_YET}
        for row in milestones[:, : len(LOSS_DECADES)].tolist()
    ]
    changed_at = [None if step == NOT_YET else step for step in milestones[:, _CHANGED_AT].tolist()]
    return {"first_step_below": reached, "determinant_sign_changed_at": changed_at}


def milestone_summary(milestones: Milestones) -> dict[str, Any]:
    """One run's milestones under their names in a run's summary."""
    return {name: value for name, (value,) in milestone_columns(milestones[None]).items()}
