"""Going on with a run: further than it asked at first, or again after it failed or was cancelled."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from service.errors import FieldError, InvalidPayload, NotAvailable, json_pointer
from service.limits import first_violation
from service.schemas import ExperimentDetail, Extension
from service.settings import Limits
from service.store import continuations as store
from service.store import runs as run_store
from service.store.database import Database
from service.use_cases.experiments import get_experiment
from service.use_cases.field_errors import request_errors
from service.use_cases.run_rows import run_row
from service.use_cases.runs import find_row, get_run
from workers.schedules import is_scheduled
from workers.specs import RunSpec


def parse_extension(body: bytes) -> Extension:
    """The extension in a body; raises InvalidPayload."""
    try:
        return Extension.model_validate_json(body)
    except ValidationError as error:
        raise InvalidPayload(request_errors(error)) from None


def extend_run(database: Database, run_id: str, extension: Extension, limits: Limits) -> dict[str, Any]:
    """Move a run's stop further out; the run then is as if it had asked for that from the start.

    Raises:
        NotFound: no such run.
        NotAvailable: the run diverged, failed, was cancelled, or searches for its ranks just now.
        InvalidPayload: the extension asks for less than the run does, or for more than a limit allows.
    """
    with database.writing() as connection:
        store.lock_run(connection, run_id)
        row = find_row(connection, run_id)
        spec = RunSpec.model_validate(row["spec"])
        _check_extendable(row, run_store.searches_ranks(connection, row["id"]))
        longer = _extended(spec, extension, limits)
        changed = run_row(longer, row["index"], row["created_at"])
        store.change_stop(connection, row["id"], {name: changed[name] for name in ("spec", "max_steps", "loss_below")})
        if _goes_on(row, spec, longer):
            unscheduled = None if is_scheduled(row["step"], spec.record) else row["step"]
            store.reopen_run(connection, row["id"], unscheduled)
    return get_run(database, run_id)


def retry_run(database: Database, run_id: str) -> dict[str, Any]:
    """Queue a run again that failed or was cancelled; it goes on from its checkpoint.

    Raises:
        NotFound: no such run.
        NotAvailable: the run neither failed nor was cancelled.
    """
    with database.writing() as connection:
        store.lock_run(connection, run_id)
        status = find_row(connection, run_id)["status"]
        if not store.retry_runs(connection, run=run_id):
            raise NotAvailable(f"Run {run_id} is {status}; only a failed or a cancelled run can be tried again.")
    return get_run(database, run_id)


def retry_experiment(database: Database, experiment_id: str) -> ExperimentDetail:
    """Queue every failed run of an experiment again; raises NotFound."""
    with database.writing() as connection:
        store.retry_runs(connection, experiment=experiment_id)
    return get_experiment(database, experiment_id)


def _check_extendable(row: Mapping[str, Any], searching: bool) -> None:
    run = f"Run {row['public_id']}"
    if row["outcome"] == "diverged":
        raise NotAvailable(f"{run} left the finite numbers at step {row['step']}; there is nothing to go on from.")
    if row["status"] in ("failed", "cancelled"):
        raise NotAvailable(f"{run} is {row['status']}; POST /v1/runs/{row['public_id']}/retry first.")
    if searching:
        raise NotAvailable(f"{run} has descended and its ranks are being searched for; extend it once it is over.")


def _extended(spec: RunSpec, extension: Extension, limits: Limits) -> RunSpec:
    asked = extension.model_dump(exclude_unset=True)
    steps, below = asked.get("max_steps", spec.stop.max_steps), asked.get("loss_below", spec.stop.loss_below)
    if steps is None or steps < spec.stop.max_steps:
        raise _refusal("max_steps", f"The run asks for {spec.stop.max_steps} steps already; ask for more.")
    if spec.stop.loss_below != below:
        _check_limit(spec, below)
    changes = {"max_steps": steps, "loss_below": below}
    try:
        longer = RunSpec.model_validate({**spec.resolved(), "stop": {**spec.resolved()["stop"], **changes}})
    except ValidationError as error:
        raise _refusal("loss_below", error.errors()[0]["msg"]) from None
    if violation := first_violation(longer, limits):
        path, detail = violation
        raise InvalidPayload([FieldError(json_pointer(path[1:] if path[0] == "stop" else ("max_steps",)), detail)])
    return longer


def _check_limit(spec: RunSpec, below: float | None) -> None:
    now = spec.stop.loss_below
    if now is None or (below is not None and below > now):
        raise _refusal(
            "loss_below", "The run may have passed this loss already; a limit can only be lowered or removed."
        )
    if not spec.stop.at_first_step_below:
        raise _refusal("loss_below", "How many checks in a row held is known for the present limit only; leave it out.")


def _refusal(field: str, detail: str) -> InvalidPayload:
    return InvalidPayload([FieldError(json_pointer((field,)), detail)])


def _goes_on(row: Mapping[str, Any], before: RunSpec, after: RunSpec) -> bool:
    """Whether a run that is over would not have been, had it asked for this from the start."""
    if row["outcome"] == "budget_exhausted":
        return after.stop.max_steps > before.stop.max_steps
    if row["outcome"] == "converged":
        limit = after.stop.loss_below
        return limit is None or not row["summary_loss"] < limit
    return False
