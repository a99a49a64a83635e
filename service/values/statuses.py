"""Statuses of runs and of experiments, and how an experiment's follows from those of its runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

RunStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]
RUN_STATUSES: tuple[str, ...] = get_args(RunStatus)
UNFINISHED = ("queued", "running")
RETRIABLE = ("failed", "cancelled")
"""Statuses of runs that can be tried again."""
ENDED = tuple(status for status in RUN_STATUSES if status not in UNFINISHED)

BEST_STATUS = "succeeded"
"""Status of an experiment of which no case below holds."""


def status_cases(has: Callable[..., Any]) -> list[tuple[Any, str]]:
    """The cases of an experiment's status, of which the first that holds counts.

    An experiment is running from its first run's start to its last one's end; then the worst of its runs counts.

    Args:
        has: whether some run has one of the given statuses: a truth value, or a condition in SQL; joined by `&`.
    """
    return [
        (has("running"), "running"),
        (has("queued") & has(*ENDED), "running"),
        (has("queued"), "queued"),
        (has("failed"), "failed"),
        (has("cancelled"), "cancelled"),
    ]


def status_of(counts: Mapping[str, int]) -> str:
    """The status of an experiment from its run counts; the store asks the database the same (`store/fields.py`)."""
    cases = status_cases(lambda *statuses: any(counts[status] for status in statuses))
    return next((status for holds, status in cases if holds), BEST_STATUS)


def in_words(counts: Mapping[str, int], statuses: Sequence[str] = RUN_STATUSES) -> str:
    """Run counts in words, such as "3 succeeded and 1 cancelled"; statuses without a run are left out."""
    return " and ".join(f"{counts[status]:,} {status}" for status in statuses if counts[status]) or "no runs"
