"""Natural numbers of any size in the SQL of each database, exact, comparable and in their order.

PostgreSQL has NUMERIC. SQLite keeps integers of 64 bits; a larger number is a blob there, its digits behind their
count. Blobs sort after all integers and by their bytes, so both databases order and compare such numbers alike.
"""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

LARGEST_INTEGER = 2**63 - 1
_COUNTED_FROM = 10_000
"""The count of digits, added to this, has five digits itself."""

_COUNT_DIGITS = len(str(_COUNTED_FROM))
_SURELY_INTEGER = len(str(LARGEST_INTEGER)) - 1

Column = sa.ColumnElement[Any]
Path = tuple[str | int, ...]


class Natural(TypeDecorator[int]):
    """A natural number; a negative one is only compared with."""

    impl = sa.Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.BigInteger() if dialect.name == "sqlite" else sa.Numeric())

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if dialect.name != "sqlite":
            return Decimal(value)
        if value <= LARGEST_INTEGER:
            return max(value, -1)
        digits = str(value)
        return f"{_COUNTED_FROM + len(digits)}{digits}".encode()

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else int(value[_COUNT_DIGITS:] if isinstance(value, bytes) else value)


def json_natural(column: Column, path: Path, dialect: str) -> Column:
    """The natural number at a path of a JSON column, a number there or a text of digits; NULL for anything else."""
    value = _of_sqlite(column, path) if dialect == "sqlite" else _of_postgresql(column, path)
    return sa.type_coerce(value, Natural())


def _of_sqlite(column: Column, path: Path) -> Column:
    json_path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in path)
    kind, value = sa.func.json_type(column, json_path), sa.func.json_extract(column, json_path)
    text = sa.type_coerce(value, sa.Text)
    count = sa.func.length(text, type_=sa.Integer)
    fits = sa.or_(
        count <= _SURELY_INTEGER, sa.and_(count == _SURELY_INTEGER + 1, text <= sa.literal(str(LARGEST_INTEGER)))
    )
    counted = sa.cast(sa.cast(_COUNTED_FROM + count, sa.Text) + text, sa.LargeBinary)
    digits = sa.and_(kind == "text", text.op("NOT GLOB", is_comparison=True)("*[^0-9]*"), count > 0)
    return sa.case(
        (kind == "integer", value),
        (sa.and_(digits, fits), sa.cast(text, sa.BigInteger)),
        (digits, counted),
    )


def _of_postgresql(column: Column, path: Path) -> Column:
    part = sa.cast(column, JSONB)[path]
    kind, text = sa.func.jsonb_typeof(part), part.astext
    is_natural = sa.or_(kind == "number", sa.and_(kind == "string", text.op("~", is_comparison=True)("^[0-9]+$")))
    return sa.case((is_natural, sa.cast(text, sa.Numeric)))
