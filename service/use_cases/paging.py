"""Pages: keyset cursors, opaque to clients and stable while rows are added."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from service.errors import FieldError, InvalidPayload
from service.schemas import Page
from workers.specs.base import LARGEST_INTEGER

T = TypeVar("T")


def from_cursor(cursor: str | None) -> int | None:
    """The row id a cursor stands for.

    Raises:
        InvalidPayload: the cursor is none of ours.
    """
    if cursor is None:
        return None
    try:
        row_id = int(base64.urlsafe_b64decode(cursor.encode()).decode())
    except (binascii.Error, ValueError):
        row_id = -1
    if not 0 <= row_id <= LARGEST_INTEGER:
        detail = "This cursor is not one that was given out; take `next` of the page before, or leave it out."
        raise InvalidPayload([FieldError("/cursor", detail)])
    return row_id


def page_of(rows: Sequence[Mapping[str, Any]], limit: int, show: Callable[[Mapping[str, Any]], T]) -> Page[T]:
    """A page of the first `limit` rows; one row more says that there is a next page."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(items=[show(row) for row in shown], next=_to_cursor(shown[-1]["id"]) if more else None)


def _to_cursor(row_id: int) -> str:
    return base64.urlsafe_b64encode(str(row_id).encode()).decode()
