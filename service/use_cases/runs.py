"""Runs: read one or many, cancel."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from service.errors import NotFound
from service.queries.catalogues import RUNS
from service.settings import Limits
from service.store import experiments as experiment_store
from service.store import runs as store
from service.store.database import Database
from service.store.run_rows import RunRow
from service.use_cases.listing import ListQuery, named, select_runs
from service.use_cases.run_objects import run_object, sparse_run
from service.values.version import VERSION


def get_run(database: Database, run_id: str) -> dict[str, Any]:
    """One run; raises NotFound."""
    with database.reading() as connection:
        return run_object(find_row(connection, run_id))


def run_version(database: Database, run_id: str) -> str:
    """A text that changes whenever the run, its summary or its points do; raises NotFound."""
    with database.reading() as connection:
        version = store.find_version(connection, run_id)
    if version is None:
        raise _not_found(run_id)
    return f"{VERSION} {version}"


def list_runs(database: Database, query: ListQuery, fields: str | None, limit: int, limits: Limits) -> dict[str, Any]:
    """A page of runs, complete or with selected fields only; it ends early at `max_page_bytes` of specs.

    Raises:
        InvalidPayload: a mistake in the query.
    """
    selection = select_runs(query, limits)
    shown = None if fields is None else named(fields, "fields", RUNS.find, limits)
    with database.reading() as connection:
        page = store.read_page(connection, selection, limit, limits.max_page_bytes)
    items = [run_object(row) if shown is None else sparse_run(row, shown) for row in page.rows]
    return {"items": items, "next": None if page.is_last else query.cursor_after(page.marks[-1])}


def cancel_run(database: Database, run_id: str) -> dict[str, Any]:
    """Cancel a run; its records stay, and a run that is over stays as it is. Raises NotFound."""
    with database.writing() as connection:
        experiment_store.cancel_run(connection, run_id, datetime.now(UTC))
    return get_run(database, run_id)


def find_row(connection: sa.Connection, run_id: str) -> RunRow:
    """A run's row with its summary; raises NotFound."""
    row = store.find_run(connection, run_id)
    if row is None:
        raise _not_found(run_id)
    return row


def _not_found(run_id: str) -> NotFound:
    return NotFound(f"There is no run {run_id!r}; GET /v1/runs lists those there are.")
