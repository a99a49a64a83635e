"""The storing of experiments: small ones in one transaction, large ones in many that hold up no other writer."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any

import sqlalchemy as sa
from cachetools import LRUCache

from service.errors import NotReady
from service.store import experiments as store
from service.store import expiry
from service.store.database import DATABASE_AWAY, Database
from service.store.run_rows import NewRun, new_run_values, with_seed
from service.use_cases.checked_runs import MOST_KEPT, CheckedRuns
from service.use_cases.keys import Holder
from service.use_cases.payloads import SpecSize
from service.use_cases.quotas import check_quotas, work_of
from service.values.ids import new_id
from workers.runs.reading import Splitter
from workers.runs.spec import RunSpec

MOST_RUNS_OF_SMALL_WRITE = 100
"""Largest experiment in a shared transaction, stored in about 5 ms; larger ones get a separate transaction."""

MOST_RUNS_OF_A_PIECE, MOST_BYTES_OF_A_PIECE = 500, 2**22
"""Runs, and bytes of their specs, that one transaction stores, in about 25 ms on SQLite; a long part may be longer."""


@dataclass(frozen=True)
class Piece:
    """What a transaction stores.

    Attributes:
        rows: of runs.
        parts: JSON of the long parts of their specs by digest, as far as no earlier piece has them.
    """

    rows: Sequence[Mapping[str, Any]]
    parts: Mapping[str, str]


@dataclass(frozen=True)
class NewExperiment:
    """An experiment to store.

    Attributes:
        values: its row.
        runs: its runs, checked before.
        work: for each run `max_multiply_adds`, for the quotas of its API key.
        holder: that key's; None without keys.
        size: bytes of its specs.
    """

    values: Mapping[str, Any]
    runs: CheckedRuns
    work: Sequence[Mapping[str, Any]]
    holder: Holder | None
    size: SpecSize

    @property
    def is_small(self) -> bool:
        """Whether one transaction stores it."""
        runs = len(self.runs)
        return runs <= self._runs_per_piece and (runs == 1 or self.size.of_runs(runs) <= MOST_BYTES_OF_A_PIECE)

    def pieces(self) -> Iterator[Piece]:
        """Its runs, as many at a time as a transaction stores."""
        new_runs = self._new_runs()
        most_bytes = inf if self.is_small else MOST_BYTES_OF_A_PIECE
        stored, rows, parts = set[str](), list[Mapping[str, Any]](), dict[str, str]()
        for new in new_runs:
            rows.append(new.values)
            parts |= {digest: text for digest, text in new.parts.items() if digest not in stored}
            stored |= new.parts.keys()
            if len(rows) == self._runs_per_piece or sum(map(len, parts.values())) >= most_bytes:
                yield Piece(rows, parts)
                rows, parts = [], {}
        if rows:
            yield Piece(rows, parts)

    @property
    def _runs_per_piece(self) -> int:
        return max(1, min(MOST_RUNS_OF_A_PIECE, MOST_BYTES_OF_A_PIECE // self.size.per_run))

    def _new_runs(self) -> Iterator[NewRun]:
        now, priority = self.values["created_at"], self.values["priority"]
        share, splitter = 0 if self.holder is None else self.holder.id, Splitter()
        kept: LRUCache[int, tuple[RunSpec, NewRun]] = LRUCache(MOST_KEPT)
        for index, (spec, seed) in enumerate(self.runs.members()):
            of, new = kept.get(id(spec), (None, None))
            if new is None or of is not spec:
                new = new_run_values(spec, now, priority, share, splitter)
                if seed is not None:
                    kept[id(spec)] = spec, new
            values = new.values if seed is None else with_seed(new.values, spec, seed)
            yield NewRun({**values, "public_id": new_id(), "index": index}, new.parts)


def store_once(database: Database, new: NewExperiment) -> bool:
    """Store an experiment with its runs, and return whether it was stored.

    An experiment under the same idempotency key is not stored or counted against the quotas again.

    Raises:
        TryLater, InvalidPayload: see `check_quotas`; nothing is stored.
        NotReady: the storing took too long; nothing of it stays.
    """
    if not new.is_small:
        return _store_in_pieces(database, new)
    (piece,) = new.pieces()

    def store_in(connection: sa.Connection) -> bool:
        experiment_id = store.insert_experiment(connection, new.values)
        if experiment_id is not None:
            check_quotas(connection, new.holder, work_of(piece.rows))
            store.insert_runs(connection, experiment_id, piece.rows, piece.parts)
        return experiment_id is not None

    return database.write(store_in, small=len(piece.rows) <= MOST_RUNS_OF_SMALL_WRITE)


def _store_in_pieces(database: Database, new: NewExperiment) -> bool:
    """Store an experiment that nobody sees before all its runs are there (`service.store.expiry`)."""
    experiment_id = database.write(lambda connection: _begin(connection, new), small=True)
    if experiment_id is None:
        return False
    try:
        for piece in new.pieces():
            with database.writing() as connection:
                _check(expiry.put_off(connection, new.values["public_id"], datetime.now(UTC)))
                store.insert_runs(connection, experiment_id, piece.rows, piece.parts)
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
