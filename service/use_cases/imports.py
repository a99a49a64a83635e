"""Imports: archives back into the tables, in pieces that hold up no other writer and are shown at the end."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from pydantic import ValidationError

from service.errors import BeingStored, FieldError, InvalidPayload
from service.exports.archives import Archive, ArchivedRun
from service.limits import exceeded
from service.schemas.experiments import Imported
from service.schemas.requests import ExperimentAttributes
from service.settings import Limits
from service.store import archives as store
from service.store import experiments as experiment_store
from service.store import expiry
from service.store.database import DATABASE_AWAY, Database
from service.store.point_writes import insert_points
from service.store.run_rows import new_run_values
from service.use_cases.experiments import get_experiment
from service.use_cases.keys import Holder
from service.use_cases.payloads import parse_value
from service.values.ids import new_id
from service.values.statuses import ENDED
from workers.results import Points
from workers.runs.reading import Splitter
from workers.runs.spec import RunSpec

MOST_RUNS, MOST_POINTS = 250, 2**14
"""Of a transaction, beyond the points of its first run: about 100 ms on SQLite, where other writers wait."""

_LEFTOVERS = "What had these ids is still being stored or removed; try again in a moment."


@dataclass
class _Import:
    """An archive on its way in.

    Attributes:
        renamed: runs that got new ids, since others have theirs.
    """

    public_id: str
    experiment_id: int
    holder: Holder | None
    priority: int
    splitter: Splitter
    renamed: int = 0


def import_archive(database: Database, path: Path, limits: Limits, holder: Holder | None = None) -> Imported:
    """Store the experiment of an archive, with its ids; one that is there already is left as it is.

    Raises:
        InvalidPayload: the file is no archive, or something in it is not valid; nothing of it stays.
        BeingStored: what had the same ids is still being stored or removed.
    """
    archive = Archive(path)
    if archive.runs > limits.max_runs_per_experiment:
        detail = exceeded("The runs of this archive are", archive.runs, limits, "max_runs_per_experiment")
        raise InvalidPayload([FieldError("", detail)])
    experiment = _experiment(archive)
    public_id = experiment["public_id"]
    with database.reading() as connection:
        known = store.find_any(connection, public_id)
    if known is not None and known[1] is None:
        return Imported(experiment=get_experiment(database, public_id), is_new=False, renamed_runs=0)
    if known is not None:
        _give_up_expired(database, *known)
    return _store(database, archive, experiment, holder)


def _give_up_expired(database: Database, experiment_id: int, expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at > datetime.now(UTC):
        raise BeingStored(_LEFTOVERS)
    with database.writing() as connection:
        expiry.give_up(connection, experiment_id, datetime.now(UTC))


def _experiment(archive: Archive) -> dict[str, Any]:
    """The row of an archive's experiment, checked."""
    about = archive.about["experiment"]
    try:
        attributes = parse_value(ExperimentAttributes, {name: about[name] for name in ("name", "tags", "priority")})
        texts = {name: str(about[name])[:64] for name in ("public_id", "body_digest")}
        created_at = datetime.fromisoformat(about["created_at"])
        return {
            **attributes.model_dump(),
            **texts,
            "run": about["run"],
            "sweep": about["sweep"],
            "created_at": created_at,
        }
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidPayload([FieldError("", f"The experiment of this archive cannot be read: {error!r}.")]) from error


def _store(database: Database, archive: Archive, experiment: dict[str, Any], holder: Holder | None) -> Imported:
    expires_at = datetime.now(UTC) + expiry.TIME_FOR_A_PIECE
    values = {**experiment, "expires_at": expires_at, "api_key_id": None if holder is None else holder.id}
    with database.writing() as connection:
        experiment_id = experiment_store.insert_experiment(connection, values)
    assert experiment_id is not None  # it has no idempotency key
    new = _Import(experiment["public_id"], experiment_id, holder, experiment["priority"], Splitter())
    try:
        for piece in _pieces(archive.read()):
            with database.writing() as connection:
                _check(expiry.put_off(connection, new.public_id, datetime.now(UTC)))
                _insert(connection, new, piece)
        with database.writing() as connection:
            _check(expiry.show(connection, new.public_id, datetime.now(UTC)))
    except BaseException:
        with suppress(*DATABASE_AWAY), database.writing() as connection:
            expiry.give_up(connection, experiment_id, datetime.now(UTC))
        raise
    return Imported(experiment=get_experiment(database, new.public_id), is_new=True, renamed_runs=new.renamed)


def _check(is_still_being_stored: bool) -> None:
    if not is_still_being_stored:
        raise BeingStored("A part of this archive took too long to store, and none of it stays; try again.")


def _pieces(runs: Iterable[ArchivedRun]) -> Iterator[Sequence[ArchivedRun]]:
    piece, points = list[ArchivedRun](), 0
    for run in runs:
        count = sum(len(part["step"]) for part in run.points)
        if piece and (len(piece) == MOST_RUNS or points + count > MOST_POINTS):
            yield piece
            piece, points = [], 0
        piece.append(run)
        points += count
    if piece:
        yield piece


def _insert(connection: sa.Connection, new: _Import, piece: Sequence[ArchivedRun]) -> None:
    """Store some runs with all that belongs to them."""
    taken = store.taken_ids(connection, [run.row["public_id"] for run in piece])
    if any(taken.values()):
        raise BeingStored(_LEFTOVERS)
    new.renamed += len(taken)
    rows, parts = list[dict[str, Any]](), dict[str, str]()
    for run in piece:
        row, of_run = _row(new, run)
        rows.append({**row, "public_id": new_id()} if row["public_id"] in taken else row)
        parts |= of_run
    experiment_store.insert_runs(connection, new.experiment_id, rows, parts)
    ids = store.internal_ids(connection, new.experiment_id, [row["index"] for row in rows])
    by_run = [(ids[row["index"]], run) for row, run in zip(rows, piece, strict=True)]
    store.insert_rest(
        connection,
        [{"run_id": run_id, **run.summary} for run_id, run in by_run if run.summary is not None],
        [{"run_id": run_id, **run.checkpoint} for run_id, run in by_run if run.checkpoint is not None],
        [{"run_id": run_id, **snapshot} for run_id, run in by_run for snapshot in run.snapshots],
    )
    _insert_points(connection, by_run)


def _row(new: _Import, run: ArchivedRun) -> tuple[dict[str, Any], Mapping[str, str]]:
    """The row of a run, and the long parts of its spec by digest; raises InvalidPayload."""
    where = f"The run of index {run.row['index']}"
    if run.row["status"] not in ENDED:
        raise InvalidPayload([FieldError("", f"{where} is {run.row['status']!r}; archives hold runs that are over.")])
    try:
        spec = RunSpec.model_validate(run.row["spec"])
    except ValidationError as error:
        raise InvalidPayload([FieldError("", f"{where} has a spec that is not valid: {error}")]) from error
    share = 0 if new.holder is None else new.holder.id
    of_spec = new_run_values(spec, run.row["created_at"], new.priority, share, new.splitter)
    kept = {name: value for name, value in run.row.items() if name != "spec"}
    if spec.phases is None:  # else its batches are those of the phase that it is in
        kept |= {name: of_spec.values[name] for name in ("batch_key", "numbers")}
    return {**of_spec.values, **kept}, of_spec.parts


def _insert_points(connection: sa.Connection, by_run: Sequence[tuple[int, ArchivedRun]]) -> None:
    """Store points, those of runs with the same columns together."""
    alike: dict[Any, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for run_id, run in by_run:
        for part in run.points:
            alike[tuple((name, column.shape[1:]) for name, column in part.items())].append((run_id, part))
    for parts in alike.values():
        lengths = [len(part["step"]) for _, part in parts]
        columns = {name: np.concatenate([part[name] for _, part in parts]) for name in parts[0][1]}
        members = np.repeat(np.arange(len(parts)), lengths)
        insert_points(
            connection, {member: run_id for member, (run_id, _) in enumerate(parts)}, Points(members, columns)
        )
