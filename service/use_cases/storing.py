"""The storing of experiments: small ones in one transaction, large ones in many that hold up no other writer."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
from cachetools import LRUCache

from service.errors import NotReady
from service.store import experiments as store
from service.store import expiry
from service.store.database import DATABASE_AWAY, Database
from service.store.run_rows import new_run_values, with_seed
from service.use_cases.checked_runs import MOST_KEPT, CheckedRuns
from service.use_cases.keys import Holder
from service.use_cases.quotas import check_quotas, work_of
from service.values.ids import new_id

MOST_RUNS_OF_SMALL_WRITE = 100
"""Largest experiment in a shared transaction, stored in about 5 ms; larger ones get a separate transaction."""

MOST_RUNS_OF_A_PIECE, MOST_BYTES_OF_A_PIECE = 500, 2**22
"""Runs, and bytes of their specs, that one transaction stores, in about 25 ms on SQLite."""


@dataclass(frozen=True)
class NewExperiment:
    """An experiment to store.

    Attributes:
        values: its row.
        runs: its runs, checked before.
        work: for each run `max_multiply_adds`, for the quotas of its API key.
        holder: that key's; None without keys.
        largest_spec: bytes of its longest spec, roughly.
    """

    values: Mapping[str, Any]
    runs: CheckedRuns
    work: Sequence[Mapping[str, Any]]
    holder: Holder | None
    largest_spec: int

    @property
    def runs_per_piece(self) -> int:
        """How many runs a transaction stores."""
        return max(1, min(MOST_RUNS_OF_A_PIECE, MOST_BYTES_OF_A_PIECE // self.largest_spec))

    def pieces(self) -> Iterator[list[dict[str, Any]]]:
        """The rows of its runs, as many at a time as a transaction stores."""
        rows = self._rows()
        while piece := list(islice(rows, self.runs_per_piece)):
            yield piece

    def _rows(self) -> Iterator[dict[str, Any]]:
        now, priority = self.values["created_at"], self.values["priority"]
        share = 0 if self.holder is None else self.holder.id
        kept: LRUCache[int, dict[str, Any]] = LRUCache(MOST_KEPT)
        for index, (spec, seed) in enumerate(self.runs.members()):
            identity = {"public_id": new_id(), "index": index}
            if seed is None:
                yield {**new_run_values(spec, now, priority, share), **identity}
                continue
            values = kept.get(id(spec))
            if values is None or values["of"] is not spec:
                values = kept[id(spec)] = {"of": spec, **new_run_values(spec, now, priority, share)}
            row = {**with_seed(values, spec, seed), **identity}
            del row["of"]
            yield row


def store_once(database: Database, new: NewExperiment) -> bool:
    """Store an experiment with its runs, and return whether it was stored.

    An experiment under the same idempotency key is not stored or counted against the quotas again.

    Raises:
        TryLater, InvalidPayload: see `check_quotas`; nothing is stored.
        NotReady: the storing took too long; nothing of it stays.
    """
    if len(new.runs) > new.runs_per_piece:
        return _store_in_pieces(database, new)
    (rows,) = new.pieces()

    def store_in(connection: sa.Connection) -> bool:
        experiment_id = store.insert_experiment(connection, new.values)
        if experiment_id is not None:
            check_quotas(connection, new.holder, work_of(rows))
            store.insert_runs(connection, experiment_id, rows)
        return experiment_id is not None

    return database.write(store_in, small=len(rows) <= MOST_RUNS_OF_SMALL_WRITE)


def _store_in_pieces(database: Database, new: NewExperiment) -> bool:
    """Store an experiment that nobody sees before all its runs are there (`service.store.expiry`)."""
    experiment_id = database.write(lambda connection: _begin(connection, new), small=True)
    if experiment_id is None:
        return False
    try:
        for rows in new.pieces():
            with database.writing() as connection:
                _check(expiry.put_off(connection, new.values["public_id"], datetime.now(UTC)))
                store.insert_runs(connection, experiment_id, rows)
        with database.writing() as connection:
            # Others of the same key may have come meanwhile.
            check_quotas(connection, new.holder, work_of(new.work), is_stored=True)
            _check(expiry.show(connection, new.values["public_id"], datetime.now(UTC)))
    except BaseException:
        with suppress(*DATABASE_AWAY), database.writing() as connection:
            expiry.give_up(connection, experiment_id, datetime.now(UTC))
        raise
    return True


def _begin(connection: sa.Connection, new: NewExperiment) -> int | None:
    expires_at = datetime.now(UTC) + expiry.TIME_FOR_A_PIECE
    experiment_id = store.insert_experiment(connection, {**new.values, "expires_at": expires_at})
    if experiment_id is not None:
        check_quotas(connection, new.holder, work_of(new.work))
    return experiment_id


def _check(is_still_being_stored: bool) -> None:
    if not is_still_being_stored:
        seconds = expiry.TIME_FOR_A_PIECE.seconds
        raise NotReady(f"A part of this experiment took longer than {seconds} s to store, and none stays; try again.")
