"""Points as JSON: one object of columns for each run."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute

from service.exports.arrow_types import Array, RecordBatch
from service.exports.texts import json_texts
from service.values.numbers import NAN

pc: Any = pyarrow.compute


def write_trajectory(run_id: str, names: Sequence[str], points: RecordBatch, thinned: bool) -> bytes:
    """The named columns of one run's points, all of which apply to it: null among them is what is not a number."""
    columns = b",".join(orjson.dumps(name) + b":" + _list(points.column(name)) for name in names)
    end = b"true" if thinned else b"false"
    return b'{"run_id":"%s","columns":{%s},"points":%d,"thinned":%s}' % (run_id.encode(), columns, len(points), end)


def write_items(items: Iterable[bytes]) -> Iterator[bytes]:
    """JSON objects as the items of one."""
    yield b'{"items":['
    for index, item in enumerate(items):
        yield b"," + item if index else item
    yield b"]}"


def _list(column: Array) -> bytes:
    if pa.types.is_floating(column.type) and not column.null_count:
        numbers = column.to_numpy()
        if np.isfinite(numbers).all():
            return orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"[" + ",".join(pc.fill_null(json_texts(column), f'"{NAN}"').to_pylist()).encode() + b"]"
