"""A run's row as the object that clients see, whole or by the fields they ask for."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.queries.fields import Field, Path
from service.use_cases.applicable import applicable_columns
from service.values.numbers import spell, spell_all

_BEFORE_SUMMARY = ("index", "status", "outcome", "step", "spec")
_AFTER_SUMMARY = ("created_at", "started_at", "finished_at", "error")
_SUMMARY_FIELDS = ("steps", "time", "determinant_sign_changed_at", "drift_exceeded_at", "first_step_below")


def run_object(row: Mapping[str, Any]) -> dict[str, Any]:
    """A run as `service.schemas.Run` has it."""
    seconds = row["compute_seconds"]
    return {
        "id": row["public_id"],
        "experiment_id": row["experiment_public_id"],
        **{name: row[name] for name in _BEFORE_SUMMARY},
        "summary": _summary(row),
        "engine": row["engine"],
        "device": row["device"],
        "steps_per_second": row["step"] / seconds if seconds else None,
        **{name: row[name] for name in _AFTER_SUMMARY},
    }


def sparse_run(row: Mapping[str, Any], fields: Sequence[Field]) -> dict[str, Any]:
    """The asked fields of a run, each at its place in the object; what is absent is left out."""
    whole, sparse = tagged_run(row), dict[str, Any]()
    paths = {field.path for field in fields}
    for field in fields:
        found, value = look_up(whole, field.path)
        if found and not any(field.path[:length] in paths for length in range(len(field.path))):
            _put(sparse, field.path, value)
    return sparse


def tagged_run(row: Mapping[str, Any]) -> dict[str, Any]:
    """A run with all that can be asked of it: its object, and the tags of its experiment."""
    return run_object(row) | {"tags": row["experiment_tags"]}


def look_up(value: Any, path: Path) -> tuple[bool, Any]:
    """Whether there is anything at a path of a JSON object, and what."""
    for step in path:
        if isinstance(value, list):
            value = dict(enumerate(value))
        if not isinstance(value, dict) or step not in value:
            return False, None
        value = value[step]
    return True, value


def _put(sparse: dict[str, Any], path: Path, value: Any) -> None:
    """Put a value at its place; an entry of a list stands under its position, as text."""
    *parents, last = (str(step) for step in path)
    for parent in parents:
        sparse = sparse.setdefault(parent, {})
    sparse[last] = value


def _summary(row: Mapping[str, Any]) -> dict[str, Any]:
    if row["summary_steps"] is None:
        return {}
    columns = applicable_columns(row["spec"])
    own = {name: spell(row[f"summary_{name}"]) for name in _SUMMARY_FIELDS}
    if "determinant_sign" not in columns.metrics:
        del own["determinant_sign_changed_at"]
    if "conservation_drift" not in columns.metrics:
        del own["drift_exceeded_at"]
    metrics = {name: spell_all([row[f"summary_{name}"]])[0] for name in columns.metrics}
    return {**own, **metrics, **{name: spell(row[f"summary_{name}"]) for name in columns.measured}}
