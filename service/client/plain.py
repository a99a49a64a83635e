"""Plain values: what people hold in Python (numpy, pandas, dates, paths) as JSON can carry it, before it is sent.

Arrays are told by what they can do, so that none of their libraries is imported here.
"""

from collections.abc import Iterable, KeysView, Mapping, Set
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from math import isfinite
from pathlib import PurePath
from typing import Any
from uuid import UUID

from service.errors import RankwardError, json_pointer

MOST_LEVELS = 100
MOST_DIGITS = 100
MOST_WHOLE = 10**MOST_DIGITS
"""From here on an exact number is not written out."""
_SHORT_FLOATS = ("float16", "float32", "bfloat16", "longdouble", "float128", "float96")
Path = tuple[str | int, ...]


class NotJson(RankwardError, ValueError):
    """A value cannot be sent as JSON"""


def plain(value: Any, path: Path = ()) -> Any:
    """A value of null, booleans, numbers, texts, lists and objects alone.

    Taken are scalars and arrays of numpy, and what behaves like them (pandas, polars, torch, jax). Dates become
    ISO 8601, paths and UUIDs text, Decimal and Fraction numbers, enumerations their values, any iterable with an order
    a list. A number of less than double precision becomes the double that prints the same.

    Args:
        path: where the value stands, for the error.

    Raises:
        NotJson: not finite, missing, or of a kind that JSON cannot carry; says where.
    """
    if len(path) > MOST_LEVELS:
        raise NotJson(f"{json_pointer(path[:3])}: more than {MOST_LEVELS} levels deep, or it contains itself.")
    value = _without_library(value)
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {_key(key, path): plain(part, (*path, str(key))) for key, part in value.items()}
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Iterable):
        return _scalar(value, path)
    if isinstance(value, Set) and not isinstance(value, KeysView):
        raise _refused(value, path, "a set has no order; give a list.")
    return [plain(part, (*path, index)) for index, part in enumerate(value)]


def _scalar(value: Any, path: Path) -> Any:
    if _is_missing(value):
        raise _refused(value, path, "it is missing or not a number (NaN), and JSON has no such value.")
    match value:
        case str():
            return _text(value, path)
        case int():
            return int(value)
        case float():
            return _finite(float(value), value, path)
        case Decimal() | Fraction():
            is_small = abs(value) < MOST_WHOLE if isinstance(value, Fraction) else _is_small(value)
            return int(value) if is_small and value == int(value) else _finite(float(value), value, path)
        case datetime() | date() | time():
            return value.isoformat()
        case PurePath() | UUID():
            return str(value)
        case _:
            raise _refused(value, path, "give a number, a text, a list or an object.")


def _is_small(value: Decimal) -> bool:
    return value.is_finite() and value.adjusted() < MOST_DIGITS


def _is_missing(value: Any) -> bool:
    """Whether a value is not equal to itself, as NaN and NaT are, or will not say, as NA of pandas will not."""
    try:
        return bool(value != value)
    except (TypeError, ArithmeticError):
        return True


def _without_library(value: Any) -> Any:
    """A scalar of numpy as Python has it, an array as a list of such; anything else as it is."""
    if isinstance(value, type | datetime):  # pandas' moments would lose their zone
        return value
    if hasattr(value, "detach"):  # a tensor of torch, which shares its numbers only without gradient and on the CPU
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value  # which numpy does not have
    if hasattr(value, "to_numpy") or hasattr(value, "detach"):
        value = (value.to_numpy if hasattr(value, "to_numpy") else value.numpy)()
    if not hasattr(value, "dtype") or not hasattr(value, "item"):
        return value
    if getattr(value, "shape", ()) != ():
        return list(value)
    kind = str(value.dtype).removeprefix("torch.")
    if kind in _SHORT_FLOATS:
        return float(str(value[()] if hasattr(value, "__getitem__") else value))
    if kind.startswith(("datetime64", "timedelta64", "[")):  # Python's own would lose nanoseconds, and names of fields
        return value if kind.startswith(("timedelta", "[")) or str(value) == "NaT" else str(value)
    return value.item()


def _finite(number: float, value: Any, path: Path) -> float:
    if not isfinite(number):
        raise _refused(value, path, "it is not finite, and JSON has no such number.")
    return number


def _text(value: str, path: Path) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refused(value, path, "it holds half of a surrogate pair, which no text has.") from None
    return str(value)


def _key(key: Any, path: Path) -> str:
    if isinstance(key, str):
        return _text(key, path)
    key = plain(key, path)
    if isinstance(key, int | float) and not isinstance(key, bool):
        return str(key)
    raise _refused(key, path, "the names in an object are texts.")


def _refused(value: Any, path: Path, why: str) -> NotJson:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
    return NotJson(f"{json_pointer(path) or '/'}: {shown} ({type(value).__name__}) cannot be sent: {why}")
