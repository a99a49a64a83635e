"""Tables: columns of fields as Arrow data; what is absent is null, what is not a number is NaN."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from service.exports.arrow_types import Array, DataType
from service.queries.fields import Kind
from service.values.numbers import NON_FINITE, spell

VECTOR = pa.list_(pa.float64())
_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.NATURAL: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
    Kind.OBJECT: pa.string(),
}


def arrow_type(kind: Kind, is_vector: bool = False) -> DataType:
    """The type of a column; an object or a list of other things than numbers is its JSON text."""
    return VECTOR if is_vector else _TYPES.get(kind, pa.string())


def arrow_column(values: Iterable[Any], type_: DataType) -> Array:
    """A column from JSON values: non-finite numbers spelled as texts become the floats they name.

    Values of another kind than the column's become null, except in a column of texts, where they are JSON.
    """
    if type_ == VECTOR:
        return pa.array(
            [[float(part) for part in value] if isinstance(value, list) else None for value in values], type_
        )
    if pa.types.is_string(type_):
        return pa.array([value if value is None or isinstance(value, str) else _json(value) for value in values], type_)
    return pa.array([_as(type_, value) for value in values], type_)


def parse_vectors(texts: Sequence[str | None]) -> Array:
    """A column of vectors from their JSON texts."""
    known = (text or "null" for text in texts) if None in texts else texts
    joined = f"[{','.join(known)}]"  # pyright: ignore[reportArgumentType, reportCallIssue]
    parsed: list[Any] = orjson.loads(joined)
    if '"' in joined:  # some number is not finite
        parsed = [None if vector is None else [float(part) for part in vector] for vector in parsed]
    return pa.array(parsed, VECTOR)


def _as(type_: DataType, value: Any) -> Any:
    if pa.types.is_timestamp(type_):
        return value if isinstance(value, datetime) else None
    if pa.types.is_floating(type_):
        return float(value) if _is_number(value) else None
    if pa.types.is_integer(type_):
        if isinstance(value, str) and value.isdecimal():  # a large seed, which JSON spells
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    return value if isinstance(value, bool) else None


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number or value in NON_FINITE


def _json(value: Any) -> str:
    return orjson.dumps(spell(value), option=orjson.OPT_UTC_Z).decode()
