"""Experiments: look at, change, cancel, delete; `service.use_cases.submissions` makes them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from service.errors import NotFound
from service.schemas import Experiment, ExperimentChanges, ExperimentDetail, Page, RunCounts
from service.settings import Limits
from service.store import experiments as store
from service.store.database import Database
from service.use_cases.listing import ListQuery, select_experiments


def get_experiment(database: Database, experiment_id: str) -> ExperimentDetail:
    """One experiment; raises NotFound."""
    with database.reading() as connection:
        row = store.find_experiment(connection, experiment_id)
    if row is None:
        raise _not_found(experiment_id)
    return ExperimentDetail(**fields_of(row))


def list_experiments(database: Database, query: ListQuery, limit: int, limits: Limits) -> Page[Experiment]:
    """A page of experiments; raises InvalidPayload where the query says what cannot be asked."""
    selection = select_experiments(query, limits)
    with database.reading() as connection:
        rows, marks = store.list_experiments(connection, selection, limit + 1)
    items = [Experiment(**fields_of(row)) for row in rows[:limit]]
    return Page(items=items, next=query.cursor_after(marks[limit - 1]) if len(marks) > limit else None)


def change(database: Database, experiment_id: str, changes: ExperimentChanges) -> ExperimentDetail:
    """Rename, tag or move an experiment ahead of others; raises NotFound.

    A priority counts from the next slice on; slices in flight are not called back.
    """
    with database.writing() as connection:
        store.change_experiment(connection, experiment_id, changes.model_dump(exclude_unset=True))
    return get_experiment(database, experiment_id)


def cancel(database: Database, experiment_id: str) -> ExperimentDetail:
    """End every run that is not over; what they have recorded so far stays."""
    with database.writing() as connection:
        store.cancel_runs(connection, experiment_id, datetime.now(UTC))
    return get_experiment(database, experiment_id)


def delete(database: Database, experiment_id: str) -> None:
    """Remove an experiment, its runs and their trajectories; raises NotFound."""
    with database.writing() as connection:
        found = store.delete_experiment(connection, experiment_id)
    if not found:
        raise _not_found(experiment_id)


def _not_found(experiment_id: str) -> NotFound:
    return NotFound(f"There is no experiment {experiment_id!r}; GET /v1/experiments lists those there are.")


def fields_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What an experiment's object shows of its row and run counts."""
    counts: Mapping[str, int] = row["counts"]
    return {
        "id": row["public_id"],
        "status": status_of(counts),
        "runs": RunCounts(total=sum(counts.values()), **counts),
        **{name: row[name] for name in ("name", "tags", "priority", "created_at", "run", "sweep")},
    }


def status_of(counts: Mapping[str, int]) -> str:
    """An experiment is running from its first run's start to its last one's end; then the worst of its runs counts."""
    ended: Sequence[str] = ("failed", "cancelled", "succeeded")
    if counts["queued"] + counts["running"] == 0:
        return next(status for status in ended if counts[status])
    return "running" if counts["running"] or any(counts[status] for status in ended) else "queued"
