"""Long parts of specs (`workers.runs.parts`): each is stored once for all runs of its experiment that have it."""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from service.store.inserts import insert_into
from service.store.tables import runs, spec_parts
from workers.runs.parts import Parts, Pieces, WholeSpec

SPEC_COLUMNS = (runs.c.experiment_id, runs.c.spec, runs.c.parts)
"""Columns of `runs` from which a spec is put together."""

_KEY = sa.tuple_(spec_parts.c.experiment_id, spec_parts.c.digest)

_PLACEHOLDER = len("null")
"""Bytes of what stands in a stem in place of a part."""

Row = Mapping[Any, Any]


def insert_parts(connection: sa.Connection, experiment_id: int, texts: Mapping[str, str]) -> None:
    """Store parts of an experiment's specs; those that it has stay.

    Args:
        texts: JSON by digest.
    """
    if not texts:
        return
    insert = insert_into(connection, spec_parts).on_conflict_do_nothing(index_elements=["experiment_id", "digest"])
    values = [
        {"experiment_id": experiment_id, "digest": digest, "bytes": len(text.encode()), "value": text}
        for digest, text in texts.items()
    ]
    connection.execute(insert, values)


def read_parts(connection: sa.Connection, rows: Iterable[Row], known: Parts | None = None) -> Parts:
    """The parts to which rows with SPEC_COLUMNS refer, each read once.

    Args:
        known: parts that were read before, in the same transaction or another: what has a digest never changes.
    """
    wanted = _wanted(rows)
    known = (known or Parts({})).narrowed(wanted, {})
    missing = [(experiment_id, digest) for digest, experiment_id in wanted.items() if digest not in known]
    if not missing:
        return known
    query = sa.select(spec_parts.c.digest, spec_parts.c.value).where(_KEY.in_(missing))
    return known.narrowed(wanted, dict(map(tuple, connection.execute(query))))


def whole_specs(connection: sa.Connection, rows: Iterable[Row], known: Parts | None = None) -> list[WholeSpec]:
    """The spec of each row with SPEC_COLUMNS; they share their parts."""
    rows = list(rows)
    parts = read_parts(connection, rows, known)
    return [WholeSpec(Pieces(row["spec"], row["parts"] or {}, parts)) for row in rows]


def spec_bytes(connection: sa.Connection, selected: sa.ColumnElement[bool]) -> dict[int, int]:
    """Bytes of JSON of the specs of selected runs, parts included, by internal id."""
    length = sa.func.length(sa.cast(runs.c.spec, sa.Text)).label("length")
    query = sa.select(runs.c.id, runs.c.experiment_id, runs.c.parts, length).where(selected)
    rows = connection.execute(query).mappings().all()
    wanted = [(experiment_id, digest) for digest, experiment_id in _wanted(rows).items()]
    lengths: dict[str, int] = {}
    if wanted:
        query = sa.select(spec_parts.c.digest, spec_parts.c.bytes).where(_KEY.in_(wanted))
        lengths = dict(map(tuple, connection.execute(query)))
    return {
        row["id"]: row["length"] + sum(lengths[part] - _PLACEHOLDER for part in (row["parts"] or {}).values())
        for row in rows
    }


def part_of_run(digest: sa.ColumnElement[str]) -> sa.ScalarSelect[str]:
    """JSON of a part of a run's spec, whose digest is an expression on `runs`; NULL without it."""
    of_run = sa.and_(spec_parts.c.experiment_id == runs.c.experiment_id, spec_parts.c.digest == digest)
    return sa.select(spec_parts.c.value).where(of_run).correlate(runs).scalar_subquery()


def _wanted(rows: Iterable[Row]) -> dict[str, int]:
    """An experiment that has a part, by the part's digest."""
    return {digest: row["experiment_id"] for row in rows for digest in (row["parts"] or {}).values()}
