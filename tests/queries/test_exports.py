"""Every format gives every number back bit for bit."""

import csv
import io
import json
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.exports.json_points import write_trajectory
from service.exports.tables import VECTOR, arrow_column, parse_vectors
from service.exports.writers import WRITERS

SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("step", pa.int64()),
        ("loss", pa.float64()),
        ("sign", pa.int64()),
        ("singular_values", VECTOR),
        ("balanced", pa.bool_()),
    ]
)
floats = st.floats(allow_nan=True, allow_infinity=True, width=64)
rows = st.lists(
    st.tuples(
        st.text(st.characters(blacklist_categories=["Cs"]), max_size=5),
        st.integers(0, 2**63 - 1),
        floats | st.none(),
        st.sampled_from([-1, 0, 1, None]),
        st.lists(floats, max_size=3) | st.none(),
        st.booleans(),
    ),
    max_size=6,
)


def batches(rows):
    """The rows in two batches, so that what spans batches is seen."""
    parts = [part for part in (rows[:2], rows[2:]) if part]
    return [pa.record_batch([*map(pa.array, zip(*part, strict=True), SCHEMA.types)], schema=SCHEMA) for part in parts]


def read_csv(content):
    header, *lines = csv.reader(io.StringIO(content.decode(), newline=""))
    assert header == SCHEMA.names
    return [
        (
            run_id,
            int(step),
            None if loss == "" else float(loss),
            None if sign == "" else int(sign),
            None if values == "" else [float(value) for value in json.loads(values)],
            balanced == "true",
        )
        for run_id, step, loss, sign, values, balanced in lines
    ]


def read_ndjson(content):
    found = [json.loads(line, parse_int=int) for line in content.splitlines() if line]
    return [
        tuple({**one, "loss": number(one["loss"]), "singular_values": numbers(one["singular_values"])}.values())
        for one in found
    ]


def number(value):
    assert value is None or isinstance(value, float) or value in ("NaN", "Infinity", "-Infinity")
    return None if value is None else float(value)


def numbers(values):
    return None if values is None else [float(value) for value in values]


def read_arrow(content):
    return [tuple(row.values()) for row in pa.ipc.open_stream(content).read_all().to_pylist()]


def read_parquet(content):
    return [tuple(row.values()) for row in pq.read_table(io.BytesIO(content)).to_pylist()]


READERS = {"csv": read_csv, "ndjson": read_ndjson, "arrow": read_arrow, "parquet": read_parquet}


def bits(value):
    """A value with every float as its bits; all that is not a number is alike."""
    if isinstance(value, float):
        return "NaN" if value != value else struct.pack(">d", value)
    return [bits(part) for part in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("name", READERS)
@given(rows=rows)
def test_what_is_written_is_read(name, rows):
    content = b"".join(WRITERS[name](SCHEMA, batches(rows)))
    assert bits(READERS[name](content)) == bits(rows)


@given(values=st.lists(floats, min_size=1, max_size=20))
def test_a_trajectory_in_json(values):
    points = pa.record_batch({"step": pa.array(range(len(values))), "loss": pa.array(values)})
    found = json.loads(write_trajectory("x", ["step", "loss"], points, thinned=False))
    assert bits([number(value) for value in found["columns"]["loss"]]) == bits(values)
    assert (found["points"], found["thinned"]) == (len(values), False)


@given(vectors=st.lists(st.lists(floats, min_size=2, max_size=2) | st.none(), min_size=1, max_size=5))
def test_vectors_from_their_texts(vectors):
    spelled = [
        None if v is None else json.dumps([x if abs(x) < float("inf") else _word(x) for x in v]) for v in vectors
    ]
    assert bits(parse_vectors(spelled).to_pylist()) == bits(vectors)


def _word(value):
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def test_a_vector_that_was_never_measured_is_null():
    """A run's object says NaN of every metric that applies and has no value, whatever its kind."""
    assert arrow_column([[1.5, "Infinity"], "NaN", None], VECTOR).to_pylist() == [[1.5, float("inf")], None, None]
