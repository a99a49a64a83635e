"""The factors of a run: as they stand, or as they were kept at a step."""

import io
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from service.errors import NotAvailable, NotFound
from service.schemas.runs import FactorSteps
from service.store import factor_snapshots as snapshots
from service.store import runs as store
from service.store.database import Database
from service.store.run_rows import RunRow
from service.use_cases.runs import find_row
from workers.runs.factors import split_factors

Factors = list[npt.NDArray[Any]]


def factors_at(connection: sa.Connection, run_id: str, step: int | None = None) -> Factors:
    """The factors of a run, first to last, in its precision: as they stand, or the snapshot of a step.

    Args:
        step: of a flow, the number of a point.

    Raises:
        NotFound: no such run, or no snapshot of this step.
        NotAvailable: the run has not stored its first slice.
    """
    row = find_row(connection, run_id)
    flat = _as_they_stand(connection, row) if step is None else _kept(connection, row, step)
    return split_factors(flat, row.spec.factor_shapes)


def get_factors(database: Database, run_id: str, step: int | None = None) -> bytes:
    """The factors as an .npz file, by the names that the model gives them; raises what `factors_at` does."""
    with database.reading() as connection:
        spec, factors = find_row(connection, run_id).spec, factors_at(connection, run_id, step)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:  # numpy.savez takes no array of the name "file"
        for name, factor in zip(spec.model.factor_names(spec.problem.shape), factors, strict=True):
            with archive.open(f"{name}.npy", "w") as part:
                np.lib.format.write_array(part, factor, allow_pickle=False)
    return file.getvalue()


def list_steps(database: Database, run_id: str) -> FactorSteps:
    """The steps of which a run has a snapshot; raises NotFound."""
    with database.reading() as connection:
        row = find_row(connection, run_id)
        return FactorSteps(run_id=row.public_id, steps=list(snapshots.list_steps(connection, row.id)))


def _as_they_stand(connection: sa.Connection, row: RunRow) -> npt.NDArray[Any]:
    state = store.read_state(connection, row.id, row.spec.precision)
    if state is None:
        raise NotAvailable(f"Run {row.public_id} has stored no factors yet; ask again once its step is above 0.")
    return state


def _kept(connection: sa.Connection, row: RunRow, step: int) -> npt.NDArray[Any]:
    kept = snapshots.read_snapshot(connection, row.id, step, row.spec.precision)
    if kept is None:
        nearest = snapshots.nearest_steps(connection, row.id, step)
        raise NotFound(f"Run {row.public_id} has no snapshot of its factors at step {step}; {_advice(nearest)}.")
    return kept


def _advice(nearest: list[int]) -> str:
    match nearest:
        case [only]:
            return f"the nearest is that of step {only}"
        case [before, after]:
            return f"the nearest are those of steps {before} and {after}"
        case _:
            return "it has none so far, and a run keeps those that its record.factors names"
