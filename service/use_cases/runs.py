"""Runs: look at one or many, read a trajectory or the factors, cancel."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from service.errors import FieldError, InvalidPayload, NotAvailable, NotFound
from service.numbers import spell, spell_all
from service.schemas import Page, Run, Trajectory
from service.store import experiments as experiment_store
from service.store import runs as store
from service.store.database import Database
from service.store.runs import RunSelection
from service.store.trajectories import read_points
from service.use_cases.paging import page_of
from workers.columns import METRICS, metrics_of, summary_metrics_of
from workers.costs import trained_numbers
from workers.specs import RunSpec

_OWN_FIELDS = (
    "index",
    "status",
    "outcome",
    "step",
    "spec",
    "engine",
    "device",
    "created_at",
    "started_at",
    "finished_at",
    "error",
)
_SUMMARY_FIELDS = ("steps", "time", "determinant_sign_changed_at", "drift_exceeded_at", "first_step_below")


def get_run(database: Database, run_id: str) -> Run:
    """One run; raises NotFound."""
    with database.reading() as connection:
        return _show(find_row(connection, run_id))


def list_runs(database: Database, selection: RunSelection, limit: int) -> Page[Run]:
    """A page of runs in the order of submission."""
    with database.reading() as connection:
        rows = store.list_runs(connection, selection, limit + 1)
    return page_of(rows, limit, _show)


def cancel_run(database: Database, run_id: str) -> Run:
    """End a run unless it is over; what it has recorded so far stays."""
    with database.writing() as connection:
        experiment_store.cancel_run(connection, run_id, datetime.now(UTC))
    return get_run(database, run_id)


def get_trajectory(
    database: Database, run_id: str, metrics: Sequence[str] | None, from_step: int | None, to_step: int | None
) -> Trajectory:
    """Recorded points of a run, as columns; `step` and `time` always, then the asked metrics, all by default.

    Raises:
        NotFound: no such run.
        InvalidPayload: a metric that does not exist, or does not apply to this run.
    """
    with database.reading() as connection:
        row = find_row(connection, run_id)
        names = ["step", "time", *_chosen_metrics(row, metrics)]
        columns = read_points(connection, row["id"], names, from_step, to_step)
    spelled = {name: [_spell_value(value) for value in column] for name, column in columns.items()}
    return Trajectory(run_id=run_id, columns=spelled, points=len(spelled["step"]), thinned=False)


def get_factors(database: Database, run_id: str) -> bytes:
    """The factors as they stand, as an .npz file with arrays factor_0, factor_1, ...

    Raises:
        NotFound: no such run.
        NotAvailable: the run has not stored its first slice.
    """
    with database.reading() as connection:
        row = find_row(connection, run_id)
        spec = _spec(row)
        state = store.read_state(connection, row["id"], spec.precision)
    if state is None:
        raise NotAvailable(f"Run {run_id} has stored no factors yet; ask again once its step is above 0.")
    cuts = np.cumsum([rows * columns for rows, columns in spec.factor_shapes])[:-1]
    parts = np.split(state[: trained_numbers(spec)], cuts)
    file = io.BytesIO()
    factors = {
        f"factor_{i}": part.reshape(s) for i, (part, s) in enumerate(zip(parts, spec.factor_shapes, strict=True))
    }
    np.savez(file, allow_pickle=False, **factors)
    return file.getvalue()


def find_row(connection: sa.Connection, run_id: str) -> Mapping[str, Any]:
    """A run's row with its summary; raises NotFound."""
    row = store.find_run(connection, run_id)
    if row is None:
        raise NotFound(f"There is no run {run_id!r}; GET /v1/runs lists those there are.")
    return row


def _spec(row: Mapping[str, Any]) -> RunSpec:
    return RunSpec.model_validate(row["spec"])


def _show(row: Mapping[str, Any]) -> Run:
    seconds = row["compute_seconds"]
    return Run(
        id=row["public_id"],
        experiment_id=row["experiment_public_id"],
        steps_per_second=row["step"] / seconds if seconds else None,
        summary=_summary(row),
        **{name: row[name] for name in _OWN_FIELDS},
    )


def _summary(row: Mapping[str, Any]) -> dict[str, Any]:
    if row["summary_steps"] is None:
        return {}
    spec = _spec(row)
    names = metrics_of(spec)
    own = {name: spell(row[f"summary_{name}"]) for name in _SUMMARY_FIELDS}
    if "determinant_sign" not in names:
        del own["determinant_sign_changed_at"]
    if "conservation_drift" not in names:
        del own["drift_exceeded_at"]
    measured = {name: spell(row[f"summary_{name}"]) for name in summary_metrics_of(spec)}
    return {**own, **{name: _spell_value(row[f"summary_{name}"]) for name in names}, **measured}


def _spell_value(value: Any) -> Any:
    return spell_all([value])[0]


def _chosen_metrics(row: Mapping[str, Any], metrics: Sequence[str] | None) -> Sequence[str]:
    applicable = metrics_of(_spec(row))
    if not metrics:
        return applicable
    for name in metrics:
        if name not in (*applicable, "step", "time"):
            why = "does not apply to this run" if name in METRICS else "does not exist"
            detail = f"The metric {name!r} {why}; this run has {', '.join(applicable)}."
            raise InvalidPayload([FieldError("/metrics", detail)])
    return [name for name in applicable if name in metrics]
