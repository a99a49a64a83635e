"""Experiments: read, change, cancel and delete; `service.use_cases.submissions` creates them."""

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from service.errors import NotFound
from service.schemas.experiments import Experiment, ExperimentDetail, RunCounts
from service.schemas.lists import Page
from service.schemas.requests import ExperimentAttributes, ExperimentChanges
from service.settings import Limits
from service.store import experiments as store
from service.store import expiry
from service.store.database import DATABASE_AWAY, Database
from service.store.experiments import ExperimentRow
from service.use_cases.listing import ListQuery, select_experiments
from service.use_cases.payloads import parse_value
from service.values.statuses import status_of
from workers.runs.merge_patches import merge_patch

RUNS_AT_ONCE = 500
"""Runs that one transaction changes, in about 25 ms, while other writers wait."""

SECONDS_TO_REMOVE = 2.0
"""How long a request goes on removing what it deleted."""


def get_experiment(database: Database, experiment_id: str) -> ExperimentDetail:
    """One experiment; raises NotFound."""
    with database.reading() as connection:
        return ExperimentDetail(**fields_of(find_row(connection, experiment_id)))


def find_row(connection: sa.Connection, experiment_id: str) -> ExperimentRow:
    """An experiment's row; raises NotFound."""
    row = store.find_experiment(connection, experiment_id)
    if row is None:
        raise not_found(experiment_id)
    return row


def check_exists(database: Database, experiment_id: str) -> None:
    """Raise NotFound unless there is such an experiment."""
    with database.reading() as connection:
        if not store.exists(connection, experiment_id):
            raise not_found(experiment_id)


def list_experiments(database: Database, query: ListQuery, limit: int, limits: Limits) -> Page[Experiment]:
    """A page of experiments; raises InvalidPayload for a mistake in the query."""
    selection = select_experiments(query, limits)
    with database.reading() as connection:
        rows, marks = store.list_experiments(connection, selection, limit + 1)
    items = [Experiment(**fields_of(row, Experiment)) for row in rows[:limit]]
    return Page(items=items, next=query.cursor_after(marks[limit - 1]) if len(marks) > limit else None)


def change(database: Database, experiment_id: str, changes: ExperimentChanges) -> ExperimentDetail:
    """Rename, tag or reprioritise an experiment; what the changes leave out stays, tags included.

    A new priority applies from the next slice on; slices in flight are not recalled.

    Raises:
        NotFound: no such experiment.
        InvalidPayload: the changed experiment would have too many tags.
    """
    patch = changes.model_dump(exclude_unset=True)
    with database.writing() as connection:
        present = store.lock_attributes(connection, experiment_id, with_runs="priority" in patch)
        if present is None:
            raise not_found(experiment_id)
        store.change_experiment(connection, experiment_id, patched(present, patch))
    return get_experiment(database, experiment_id)


def patched(present: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that a merge patch changes, as they are afterwards; raises InvalidPayload."""
    after = parse_value(ExperimentAttributes, merge_patch(present, patch)).model_dump()
    return {name: after[name] for name in patch}


def cancel(database: Database, experiment_id: str) -> ExperimentDetail:
    """Cancel all unfinished runs of an experiment; their records stay, and runs that are over stay as they are.

    So a cancel that comes late, or twice, finds what it asked for. Raises NotFound.
    """
    last: int | None = -1
    while last is not None:
        with database.writing() as connection:
            last = store.cancel_runs(connection, experiment_id, last, RUNS_AT_ONCE, datetime.now(UTC))
    return get_experiment(database, experiment_id)


def delete(database: Database, experiment_id: str) -> None:
    """Remove an experiment, its runs and their trajectories; raises NotFound.

    It is gone at once. What it held is removed in pieces, here for a moment and then by a dispatcher.
    """
    with database.writing() as connection:
        if not expiry.expire(connection, experiment_id, datetime.now(UTC)):
            raise not_found(experiment_id)
    deadline = time.monotonic() + SECONDS_TO_REMOVE
    with suppress(*DATABASE_AWAY):  # it is gone already, and the dispatcher goes on
        while time.monotonic() < deadline:
            with database.writing() as connection:
                if not expiry.remove_piece(connection, datetime.now(UTC)):
                    return


def not_found(experiment_id: str) -> NotFound:
    """The error for an unknown experiment."""
    return NotFound(f"There is no experiment {experiment_id!r}; GET /v1/experiments lists those there are.")


def fields_of(row: ExperimentRow, answer: type[Experiment] = ExperimentDetail) -> dict[str, Any]:
    """Fields of an experiment's object, from its row and run counts."""
    derived = {
        "id": row["public_id"],
        "status": status_of(row["counts"]),
        "runs": RunCounts(total=sum(row["counts"].values()), **row["counts"]),
    }
    return {name: derived[name] if name in derived else row[name] for name in answer.model_fields}
