"""Pages: opaque cursors, each of which stands for the last row of a page and is bound to its query."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from service.errors import FieldError, InvalidPayload
from service.queries.expressions import Value
from service.queries.fields import NUMERIC, Kind
from service.queries.lists import Key
from service.store.fields import kind_to_sort
from service.store.keyset import Mark
from service.values.numbers import spell
from workers.runs.base import LARGEST_INTEGER
from workers.runs.seeds import MOST_SEED_DIGITS, spelled_seed

_STRANGER = "This cursor is not one that was given out; take `next` of the page before, or leave it out."
_OF_ANOTHER = "This cursor belongs to another query; leave it out, or repeat the query that it was given out for."


def query_digest(*parts: str | None) -> str:
    """A digest that identifies a query."""
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


def to_cursor(mark: Mark, digest: str) -> str:
    """The cursor of the rows after a mark."""
    content = [digest, [_spell(value) for value in mark.values], mark.row_id]
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def from_cursor(cursor: str | None, digest: str, keys: Sequence[Key]) -> Mark | None:
    """The mark of a cursor, None without a cursor.

    Raises:
        InvalidPayload: the cursor was not made by `to_cursor`, or belongs to another query.
    """
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        bound_to, values, row_id = orjson.loads(base64.b64decode(padded, b"-_", validate=True))
        if bound_to != digest:
            raise _refused(_OF_ANOTHER if _is_digest(bound_to) else _STRANGER)
        kinds = [kind_to_sort(key.field) for key in keys]
        read = tuple(_read(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (binascii.Error, ValueError, TypeError):
        raise _refused(_STRANGER) from None
    if type(row_id) is not int or not 0 <= row_id <= LARGEST_INTEGER:
        raise _refused(_STRANGER)
    return Mark(read, row_id)


def _refused(detail: str) -> InvalidPayload:
    return InvalidPayload([FieldError("/cursor", detail)])


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == len(query_digest())


def _spell(value: Value | None) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return spelled_seed(value)
    return value.isoformat() if isinstance(value, datetime) else spell(value)


def _read(value: Any, kind: Kind) -> Value | None:
    """The value of a spelled one; raises ValueError or TypeError for a value of another kind."""
    if value is None:
        return None
    if kind is Kind.TIME:
        return datetime.fromisoformat(value)
    if kind in NUMERIC and isinstance(value, str) and value.isdecimal() and len(value) <= MOST_SEED_DIGITS:
        return int(value)
    if kind in NUMERIC:
        number = float(value) if isinstance(value, str | float) else value
        if isinstance(number, bool) or not isinstance(number, int | float) or number != number:
            raise ValueError(value)
        return number
    if not isinstance(value, str if kind is Kind.TEXT else bool) or "\x00" in str(value):
        raise ValueError(value)
    return value
