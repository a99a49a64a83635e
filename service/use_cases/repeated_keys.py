"""Keys that stand twice in an object of a JSON body: readers would silently take one of the values."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson

from service.errors import FieldError, InvalidPayload, json_pointer
from service.use_cases.field_errors import MOST_ERRORS


class _Repeated(dict[str, Any]):
    """An object with keys that stand more than once."""

    keys_repeated: Sequence[str] = ()


def check_keys(body: bytes, value: Any) -> None:
    """Check that no object in a JSON body has a key twice.

    Members are counted in the body and in its value, which costs a small part of the reading; only a body with more
    members than its value has is read again, for the places.

    Args:
        value: what the body was read as.

    Raises:
        InvalidPayload: the keys that stand more than once.
    """
    try:
        is_complete = _count_members(body) == _count_members(orjson.dumps(value))
    except TypeError:  # an integer beyond 64 bits
        is_complete = False
    if is_complete:
        return
    repeated = [_mistake(path) for path, _ in zip(_repeated_keys(body), range(MOST_ERRORS), strict=False)]
    if repeated:
        raise InvalidPayload(repeated)


def _count_members(text: bytes) -> int:
    """Members of all objects in JSON: its colons outside of strings."""
    plain = re.sub(rb"\\.", b"", text, flags=re.DOTALL) if b"\\" in text else text  # escapes are inside of strings
    letters = np.frombuffer(plain, np.uint8)
    is_inside = np.bitwise_xor.accumulate(letters == ord('"')) if len(letters) else letters
    return int(np.count_nonzero((letters == ord(":")) & ~is_inside))


def _repeated_keys(body: bytes) -> Iterator[tuple[str | int, ...]]:
    """The paths of keys that stand more than once."""
    has_repeated = False

    def as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_repeated
        value = dict(pairs)
        if len(value) == len(pairs):
            return value
        has_repeated = True
        repeated, seen = _Repeated(value), set[str]()
        repeated.keys_repeated = [key for key, _ in pairs if key in seen or seen.add(key)]
        return repeated

    value = json.loads(body, object_pairs_hook=as_object, parse_int=str)
    if has_repeated:
        yield from _paths(value, ())


def _paths(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The paths of keys that stand more than once, each once."""
    if isinstance(value, _Repeated):
        yield from ((*path, key) for key in dict.fromkeys(value.keys_repeated))
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(part, (*path, key))


def _mistake(path: tuple[str | int, ...]) -> FieldError:
    return FieldError(json_pointer(path), f"The key {path[-1]!r} stands more than once in this object; keep only one.")
