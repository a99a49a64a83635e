"""Short ids: the first or the last characters of a public id.

The first 12 digits of an id are a time and the next ones a counter, so ids made together begin alike. The last 8 digits
are random, so they nearly always identify an id. Both forms are looked up in an index: the start as a range of ids, the
end by the last 8 characters.
"""

import re
from typing import Literal

import sqlalchemy as sa

from service.errors import AmbiguousId
from service.store.tables import END_AT, end_of, experiments, runs

Resource = Literal["experiment", "run"]
CHARACTERS = 36
LEAST_START = 4
LEAST_END = CHARACTERS - END_AT + 1
_SHORT = re.compile(rf"[0-9a-f-]{{{LEAST_START},{CHARACTERS - 1}}}")
_LEAST, _GREATEST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
_TABLES = {"experiment": experiments, "run": runs}


def is_short(text: str) -> bool:
    """Whether a text may be the start (4 characters or more) or the end (8 or more) of an id, without being an id."""
    return _SHORT.fullmatch(text.lower()) is not None


def full_id(connection: sa.Connection, resource: Resource, text: str) -> str:
    """The public id that a text abbreviates; the text itself if it abbreviates none.

    A complete id costs no query, a short one a single query through two indexes.

    Raises:
        AmbiguousId: the text begins or ends several ids.
    """
    if not is_short(text):
        return text
    short, column = text.lower(), _TABLES[resource].c.public_id
    matching = connection.scalars(sa.select(column).where(_matches(column, short)).limit(2)).all()
    if len(matching) > 1:
        raise AmbiguousId(
            f"{text!r} begins or ends the ids of several {resource}s; give more characters. Those of {resource}s made "
            f"together begin alike: take the last {LEAST_END} or more."
        )
    return matching[0] if matching else text


def _matches(column: sa.ColumnElement[str], short: str) -> sa.ColumnElement[bool]:
    """Ids with the start or end; bounds are complete ids, which every collation orders by their digits."""
    starts = column.between(short + _LEAST[len(short) :], short + _GREATEST[len(short) :])
    if len(short) < LEAST_END:
        return starts
    ends = sa.and_(end_of(column) == short[-LEAST_END:], column.like(f"%{short}"))
    return sa.or_(starts, ends)
