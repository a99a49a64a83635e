"""Continuations of runs: beyond the first stop, or after a failure or cancellation."""

from collections.abc import Mapping
from typing import Any

from service.errors import FieldError, InvalidPayload, NotAvailable, json_pointer
from service.limits import first_violation
from service.schemas.experiments import ExperimentDetail
from service.schemas.requests import Extension
from service.settings import Limits
from service.store import continuations as store
from service.store import runs as run_store
from service.store.database import Database
from service.store.leases import lock_runs
from service.store.run_rows import RunRow, spec_values
from service.use_cases.experiments import find_row as find_experiment
from service.use_cases.experiments import get_experiment
from service.use_cases.keys import Holder
from service.use_cases.quotas import Work, check_quotas, payer
from service.use_cases.runs import find_row, get_run
from service.values.statuses import RETRIABLE, UNFINISHED, in_words
from workers.runs.schedules import is_scheduled
from workers.runs.spec import RunSpec
from workers.runs.stops import Stop

_STANDS = {
    "queued": "waits for a worker already; only a failed or a cancelled run can be tried again.",
    "running": "is being computed; only a failed or a cancelled run can be tried again.",
    "succeeded": "succeeded, so a new try would give the same; POST .../extend lets it go on to a stop further out.",
}
"""Why a run cannot be tried again, by its status."""


def extend_run(
    database: Database, run_id: str, extension: Extension, limits: Limits, holder: Holder | None = None
) -> dict[str, Any]:
    """Move a run's stop further out; the result is that of a run with this stop from the start.

    Raises:
        NotFound: no such run.
        NotAvailable: the run diverged, failed, was cancelled, or is searching for its ranks.
        InvalidPayload: the extension asks for less than the run's stop, or for more than a limit allows.
        TryLater: the run does not fit into its key's quotas at present.
    """
    with database.writing() as connection:
        store.lock_run(connection, run_id)
        row = find_row(connection, run_id)
        _check_extendable(row, run_store.searches_ranks(connection, row.id))
        longer = _extended(row.spec, extension, limits)
        changed = spec_values(longer)
        is_reopened = _goes_on(row, longer)
        if is_reopened or row.status in UNFINISHED:
            work = _added_work(row, changed.values["max_multiply_adds"])
            check_quotas(connection, payer(connection, holder, row["experiment_id"], limits), work)
        store.change_stop(connection, row.id, row["experiment_id"], changed)
        if is_reopened:
            scheduled = is_scheduled(row.spec, row.step, row["summary_time"])
            store.reopen_run(connection, row.id, None if scheduled else row.step)
    return get_run(database, run_id)


def retry_run(database: Database, run_id: str, limits: Limits, holder: Holder | None = None) -> dict[str, Any]:
    """Queue a failed or cancelled run again, from its checkpoint.

    Raises:
        NotFound: no such run.
        NotAvailable: the run neither failed nor was cancelled.
        InvalidPayload, TryLater: the run does not fit into its key's quotas, ever or at present.
    """
    with database.writing() as connection:
        store.lock_run(connection, run_id)
        row = find_row(connection, run_id)
        if row.status not in RETRIABLE:
            raise NotAvailable(f"Run {run_id} {_STANDS[row.status]}")
        selected = store.retriable(run_id=row.id)
        work = store.work_of(connection, selected)
        check_quotas(
            connection, payer(connection, holder, row["experiment_id"], limits), Work("Another try of this run", *work)
        )
        store.retry_runs(connection, selected)
    return get_run(database, run_id)


def retry_experiment(
    database: Database, experiment_id: str, limits: Limits, holder: Holder | None = None
) -> ExperimentDetail:
    """Queue all failed and cancelled runs of an experiment again.

    Raises:
        NotFound: no such experiment.
        NotAvailable: none of its runs failed or was cancelled.
        InvalidPayload, TryLater: the runs do not fit into their key's quotas, ever or at present.
    """
    with database.writing() as connection:
        experiment = find_experiment(connection, experiment_id)
        selected = store.retriable(experiment_id=experiment["id"])
        lock_runs(connection, selected)
        runs, multiply_adds = store.work_of(connection, selected)
        if not runs:
            raise NotAvailable(
                f"No run of experiment {experiment_id} failed or was cancelled, so there is none to try again; "
                f"it has {in_words(experiment['counts'])}."
            )
        work = Work(f"Another try of {in_words(experiment['counts'], RETRIABLE)} runs", runs, multiply_adds)
        check_quotas(connection, payer(connection, holder, experiment["id"], limits), work)
        store.retry_runs(connection, selected)
    return get_experiment(database, experiment_id)


def _added_work(row: RunRow, multiply_adds: float) -> Work:
    """What a run adds to its key's unfinished work if it may take so many multiply-adds in all."""
    is_new = row.status not in UNFINISHED
    present = 0.0 if is_new else row["max_multiply_adds"] or 0.0
    return Work("This run", int(is_new), multiply_adds - present, alone=multiply_adds)


def _check_extendable(row: RunRow, searching: bool) -> None:
    run, spec = f"Run {row.public_id}", row.spec
    if not (spec.descends or spec.is_flow):
        raise NotAvailable(f"{run} is a {spec.model.kind}, which is solved at once; there is no further to go.")
    if row.outcome == "diverged":
        raise NotAvailable(f"{run} left the finite numbers at step {row.step}; there is nothing to go on from.")
    if row.status in ("failed", "cancelled"):
        raise NotAvailable(f"{run} is {row.status}; POST /v1/runs/{row.public_id}/retry first.")
    if searching:
        raise NotAvailable(f"{run} has descended and its ranks are being searched for; extend it once it is over.")


def _extended(spec: RunSpec, extension: Extension, limits: Limits) -> RunSpec:
    """The spec with the stop of its last phase further out."""
    changes, last = extension.model_dump(exclude_unset=True), spec.phase_specs[-1]
    _check_end(last, changes)
    if "loss_below" in changes and (changes["loss_below"] or None) != (last.stop.loss_below or None):
        _check_limit(last, changes["loss_below"] or None)
    stop = {**last.stop.model_dump(mode="json", exclude_none=True), **changes}
    longer = RunSpec.model_validate(dict(spec.lasting(Stop.model_validate(stop))))
    if violation := first_violation(longer, limits):
        path, detail = violation
        raise InvalidPayload([FieldError(json_pointer(path[1:] if path[0] == "stop" else (_end_of(spec),)), detail)])
    return longer


def _end_of(spec: RunSpec) -> str:
    """The field of the stop that bounds the length of a run."""
    return "max_time" if spec.is_flow else "max_steps"


def _check_end(spec: RunSpec, changes: Mapping[str, Any]) -> None:
    end, other = ("max_time", "max_steps") if spec.is_flow else ("max_steps", "max_time")
    if other in changes:
        raise _refusal(other, f"This run goes by {end}; give that in place of {other}.")
    now = getattr(spec.stop, end)
    if end in changes and (changes[end] is None or changes[end] < now):
        raise _refusal(end, f"The run goes to {end} {now:,} already; ask for more.")


def _check_limit(spec: RunSpec, below: float | None) -> None:
    now = spec.stop.loss_below or None  # 0 stands for never, as no limit does
    if now is None or (below is not None and below > now):
        raise _refusal(
            "loss_below", "The run may have passed this loss already; a limit can only be lowered or removed."
        )
    if not spec.stop.at_first_step_below:
        raise _refusal("loss_below", "How many checks in a row held is known for the present limit only; leave it out.")


def _refusal(field: str, detail: str) -> InvalidPayload:
    return InvalidPayload([FieldError(json_pointer((field,)), detail)])


def _last_stop(spec: RunSpec) -> Stop:
    """The stop of the last phase."""
    return spec.phase_specs[-1].stop


def _goes_on(row: RunRow, after: RunSpec) -> bool:
    """Whether a finished run would have continued under the spec `after`."""
    if row.outcome == "budget_exhausted":
        end = _end_of(after)
        return getattr(_last_stop(after), end) > getattr(_last_stop(row.spec), end)
    if row.outcome == "converged":
        limit = _last_stop(after).loss_below
        return limit is None or not row["summary_loss"] < limit
    return False
