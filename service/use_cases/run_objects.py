"""A run's row as the object that clients see: complete, or with selected fields only."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from service.queries.catalogues import RUNS, SUMMARY_FIELDS
from service.queries.fields import Field, Path
from service.schemas.runs import Run
from service.store.run_rows import RunRow
from service.use_cases.applicable import applicable_columns
from service.values.numbers import spell, spell_all

_DERIVED: Mapping[str, Callable[[RunRow], Any]] = {
    "id": lambda row: row.public_id,
    "experiment_id": lambda row: row["experiment_public_id"],
    "spec": lambda row: row.resolved,
    "summary": lambda row: _summary(row),
    "steps_per_second": lambda row: row.step / row["compute_seconds"] if row["compute_seconds"] else None,
    "tags": lambda row: row["experiment_tags"],
    "experiment": lambda row: _experiment(row),
}
"""Fields that are not columns of the row."""

_METRIC_OF = {"determinant_sign_changed_at": "determinant_sign", "drift_exceeded_at": "conservation_drift"}
"""Fields of a summary that exist only if a metric applies to the run."""


def run_object(row: RunRow) -> dict[str, Any]:
    """A run as an object with the fields of `service.schemas.Run`."""
    return _parts(row, Run.model_fields)


def sparse_run(row: RunRow, fields: Sequence[Field]) -> dict[str, Any]:
    """Selected fields of a run, each at its path in the object; missing ones are left out."""
    paths = {field.path for field in fields}
    complete, sparse = _parts(row, {str(path[0]) for path in paths}), dict[str, Any]()
    for field in fields:
        exists, value = look_up(complete, field.path)
        if exists and not any(field.path[:length] in paths for length in range(len(field.path))):
            _put(sparse, field.path, value)
    return sparse


def tagged_run(row: RunRow) -> dict[str, Any]:
    """A run with all fields of the catalogue: its object, and what it shows of its experiment."""
    return _parts(row, RUNS.names())


def _parts(row: RunRow, names: Iterable[str]) -> dict[str, Any]:
    return {name: _DERIVED[name](row) if name in _DERIVED else row[name] for name in names}


def look_up(value: Any, path: Path) -> tuple[bool, Any]:
    """Whether a JSON object has a value at a path, and the value."""
    for step in path:
        if isinstance(value, list):
            value = dict(enumerate(value))
        if not isinstance(value, dict) or step not in value:
            return False, None
        value = value[step]
    return True, value


def _put(sparse: dict[str, Any], path: Path, value: Any) -> None:
    """Set the value at a path; the key of a list's entry is its position as text."""
    *parents, last = (str(step) for step in path)
    for parent in parents:
        sparse = sparse.setdefault(parent, {})
    sparse[last] = value


def _experiment(row: RunRow) -> dict[str, Any]:
    columns = {"id": "experiment_public_id"}
    return {name: row[columns.get(name, f"experiment_{name}")] for name in RUNS.names("experiment")}


def _summary(row: RunRow) -> dict[str, Any]:
    if row["summary_steps"] is None:
        return {}
    columns = applicable_columns(row.resolved)
    applying = (name for name in SUMMARY_FIELDS if _METRIC_OF.get(name) in (None, *columns.metrics))
    metrics = {name: spell_all([row[f"summary_{name}"]])[0] for name in columns.metrics}
    measured = {name: spell(row[f"summary_{name}"]) for name in columns.measured}
    return {**{name: spell(row[f"summary_{name}"]) for name in applying}, **metrics, **measured}
