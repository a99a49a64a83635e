"""Pages: keyset cursors, opaque to clients and stable while rows are added."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from service.errors import FieldError, InvalidPayload
from service.schemas import Page

T = TypeVar("T")


def from_cursor(cursor: str | None) -> int | None:
    """The row id a cursor stands for.

    Raises:
        InvalidPayload: the cursor is none of ours.
    """
    if cursor is None:
        return None
    try:
        return int(base64.urlsafe_b64decode(cursor.encode()).decode())
    except (binascii.Error, ValueError):
        detail = "This cursor is not one that was given out; take `next` of the page before, or leave it out."
        raise InvalidPayload([FieldError("/cursor", detail)]) from None


def page_of(rows: Sequence[Mapping[str, Any]], limit: int, show: Callable[[Mapping[str, Any]], T]) -> Page[T]:
    """A page of the first `limit` rows; one row more says that there is a next page."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(items=[show(row) for row in shown], next=_to_cursor(shown[-1]["id"]) if more else None)


def _to_cursor(row_id: int) -> str:
    return base64.urlsafe_b64encode(str(row_id).encode()).decode()
