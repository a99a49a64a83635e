"""Columns as texts: every float in the fewest digits that give it back bit for bit, non-finite ones spelled out."""

from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute

from service.exports.arrow_types import Array
from service.values.numbers import INFINITY, MINUS_INFINITY, NAN, NUMBER_PATTERN, spell

pc: Any = pyarrow.compute
_NEEDS_QUOTES = '[",\r\n]|^$'
_FORMULA = "^[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""Beginnings of texts that spreadsheets compute, in their ordinary and their wide forms (OWASP, CSV injection)."""
_PLAIN_NUMBER = rf"{NUMBER_PATTERN}|^[+-]?Infinity$"


def csv_texts(column: Array) -> Array:
    """A column's values as they stand in CSV (RFC 4180); null where there is none.

    An apostrophe precedes a text that a spreadsheet would compute, unless it is a number.
    """
    if pa.types.is_floating(column.type):
        return _floats(column, quote="")
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        return pc.cast(column, pa.string())
    return _quoted(_harmless(column) if pa.types.is_string(column.type) else json_texts(column, quote=""))


def json_texts(column: Array, quote: str = '"') -> Array:
    """A column's values as JSON; null where there is none.

    Args:
        quote: what stands around times; texts are quoted by it too when it is not empty.
    """
    kind = column.type
    if pa.types.is_floating(kind):
        return _floats(column, quote='"')
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_timestamp(kind):
        return _join(quote, pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ"), quote)
    return pa.array([None if value is None else _json(value) for value in column.to_pylist()], pa.string())


def _floats(column: Array, quote: str) -> Array:
    texts = pc.cast(column, pa.string())
    texts = pc.if_else(pc.match_substring_regex(texts, "[.ei]"), texts, _join(texts, ".0"))  # -0 would be an integer
    if pc.all(pc.is_finite(column), min_count=0).as_py():
        return texts
    spelled = pc.if_else(pc.is_nan(column), NAN, pc.if_else(pc.greater(column, 0.0), INFINITY, MINUS_INFINITY))
    return pc.if_else(pc.is_finite(column), texts, _join(quote, spelled, quote))


def _harmless(texts: Array) -> Array:
    is_formula = pc.and_not(pc.match_substring_regex(texts, _FORMULA), pc.match_substring_regex(texts, _PLAIN_NUMBER))
    return pc.if_else(is_formula, _join("'", texts), texts)


def _quoted(texts: Array) -> Array:
    quoted = _join('"', pc.replace_substring(texts, '"', '""'), '"')
    return pc.if_else(pc.match_substring_regex(texts, _NEEDS_QUOTES), quoted, texts)


def _join(*parts: Array | str) -> Array:
    return pc.binary_join_element_wise(*parts, "")


def _json(value: object) -> str:
    plain = [spell(part) for part in value] if isinstance(value, list) else value
    return orjson.dumps(plain).decode()
