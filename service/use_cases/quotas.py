"""Quotas: the most unfinished work of an API key, counted in the database and thus over all API processes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.errors import FieldError, InvalidPayload, TryLater
from service.settings import Limits
from service.store import keys as store
from service.use_cases.keys import Holder, holder_of

RETRY_AFTER_SECONDS = 30
"""Advised pause before another try; when running work ends is not known."""


@dataclass(frozen=True)
class Work:
    """Work that a request adds to the unfinished work of a key.

    Attributes:
        subject: what takes the work, at the start of a sentence.
        runs: number of runs that were over or did not exist.
        multiply_adds: the most that is added.
        alone: multiply-adds of these runs with what they had left already; by default what is added.
    """

    subject: str
    runs: int
    multiply_adds: float
    alone: float | None = None


def work_of(rows: Iterable[Mapping[str, Any]], subject: str = "This experiment") -> Work:
    """The work of new rows of `runs`."""
    costs = [row["max_multiply_adds"] for row in rows]
    return Work(subject, len(costs), sum(costs))


def check_quotas(connection: sa.Connection, holder: Holder | None, work: Work) -> None:
    """Check that further work fits into its key's quotas; the writing transaction excludes concurrent changes.

    Raises:
        InvalidPayload: it would not fit even if all earlier runs were over.
        TryLater: it does not fit at present.
    """
    if holder is None:
        return
    alone = work.multiply_adds if work.alone is None else work.alone
    for name, value in _named(work.runs, alone).items():
        if value > holder.quotas[name]:
            raise InvalidPayload([FieldError("", _never_fits(work.subject, name, value, holder))])
    store.hold_key(connection, holder.id)
    added = _named(work.runs, work.multiply_adds)
    for name, under_way in _named(*store.unfinished_work(connection, holder.id)).items():
        if added[name] > 0 and under_way + added[name] > holder.quotas[name]:
            raise TryLater(_too_much_now(work.subject, name, under_way, added[name], holder), RETRY_AFTER_SECONDS)


def payer(connection: sa.Connection, holder: Holder | None, experiment_id: int, limits: Limits) -> Holder | None:
    """The key on whose quotas the runs of an experiment count, by its internal id: the one that submitted it.

    Otherwise a key could add work for which another one pays. Runs that were submitted without a key count on the key
    that continues them; None where no key is asked for.
    """
    if holder is None:
        return None
    row = store.find_owner(connection, experiment_id)
    return holder if row is None else holder_of(row, limits)


def _named(runs: int, multiply_adds: float) -> dict[str, float]:
    return {"max_unfinished_runs": runs, "max_unfinished_multiply_adds": multiply_adds}


def _never_fits(subject: str, name: str, value: float, holder: Holder) -> str:
    return (
        f"{subject} alone takes {value:,.10g} of the {holder.quotas[name]:,.10g} that {name} gives the key "
        f"{holder.prefix}; ask for less, or for a key made with a larger --{name.replace('_', '-')}."
    )


def _too_much_now(subject: str, name: str, under_way: float, requested: float, holder: Holder) -> str:
    return (
        f"{subject} takes {requested:,.10g} of {name}, and of the {holder.quotas[name]:,.10g} of the key "
        f"{holder.prefix} {under_way:,.10g} are taken by runs that are not over; wait for them, or cancel some."
    )
