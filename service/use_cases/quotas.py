"""Quotas: the most unfinished work of an API key, counted in the database and thus over all API processes."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from service.errors import FieldError, InvalidPayload, TryLater
from service.store import keys as store
from service.use_cases.keys import Holder

RETRY_AFTER_SECONDS = 30
"""Advised pause before another try; when running work ends is not known."""


def check_quotas(connection: sa.Connection, holder: Holder | None, rows: Sequence[Mapping[str, Any]]) -> None:
    """Check that new rows of `runs` fit into their key's quotas; the writing transaction excludes concurrent changes.

    Raises:
        InvalidPayload: they would not fit even if all earlier runs were over.
        TryLater: they do not fit at present.
    """
    if holder is None:
        return
    requested = _named(len(rows), sum(row["max_multiply_adds"] for row in rows))
    for name, value in requested.items():
        if value > holder.quotas[name]:
            raise InvalidPayload([FieldError("", _never_fits(name, value, holder))])
    store.hold_key(connection, holder.id)
    for name, under_way in _named(*store.unfinished_work(connection, holder.id)).items():
        if under_way + requested[name] > holder.quotas[name]:
            raise TryLater(_too_much_now(name, under_way, requested[name], holder), RETRY_AFTER_SECONDS)


def _named(runs: int, multiply_adds: float) -> dict[str, float]:
    return {"max_unfinished_runs": runs, "max_unfinished_multiply_adds": multiply_adds}


def _never_fits(name: str, value: float, holder: Holder) -> str:
    return (
        f"This experiment alone takes {value:,.10g} of the {holder.quotas[name]:,.10g} that {name} gives the key "
        f"{holder.prefix}; ask for less, or for a key made with a larger --{name.replace('_', '-')}."
    )


def _too_much_now(name: str, under_way: float, requested: float, holder: Holder) -> str:
    return (
        f"This experiment takes {requested:,.10g} of {name}, and of the {holder.quotas[name]:,.10g} of the key "
        f"{holder.prefix} {under_way:,.10g} are taken by runs that are not over; wait for them, or cancel some."
    )
