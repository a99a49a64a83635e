"""Points come back as they were measured, and stored twice are there once."""

import struct

import numpy as np
import orjson
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store import copy_rows, point_rows, point_streams, raw_rows
from service.store import points as stored_points
from service.store.point_streams import stream_numbers, stream_points
from service.store.point_writes import insert_points
from service.store.points import PointSelection, read_points
from service.store.tables import runs, trajectory_points
from service.use_cases.experiments import delete
from service.use_cases.submissions import submit
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC
from workers.results import Points

pytestmark = BOTH_DATABASES

FLOATS = [0.1, 1 / 3, 5e-324, -2.2250738585072014e-308, 1.7976931348623157e308, 1e22, np.inf, -np.inf, np.nan, -1.0]


@pytest.fixture
def experiment(database):
    return submit(database, ExperimentRequest(run=BASIC, sweep=[{"seed": [0, 1]}]), Limits(), None).experiment


def made(member, losses, **columns):
    steps = np.arange(len(losses))
    return Points(np.array(member), {"step": steps, "time": steps * 0.5, "loss": np.array(losses), **columns})


def write(database, points, run_ids):
    with database.writing() as connection:
        insert_points(connection, run_ids, points)


def read(database, run_id, *names):
    """Columns of a run as they are stored: None where there is NULL, vectors as lists."""
    points = trajectory_points.c
    query = sa.select(*(points[name] for name in names)).where(points.run_id == run_id).order_by(points.step)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    return {name: [row[column] for row in rows] for column, name in enumerate(names)}


def arrays(database, columns_of):
    with database.reading() as connection:
        return read_points(connection, columns_of)


def bits(values):
    return [None if value is None else struct.pack("<d", value) for value in values]


def test_every_float_comes_back_bit_for_bit_and_what_is_none_as_null(database, experiment):
    write(database, made([0] * len(FLOATS), FLOATS), {0: 1})
    expected = [None if np.isnan(value) else value for value in FLOATS]
    assert bits(read(database, 1, "loss")["loss"]) == bits(expected)


def test_the_sign_of_zero_is_kept_where_the_database_can(database, database_kind, experiment):
    """SQLite writes a float without a fraction as an integer, which has one zero."""
    write(database, made([0], [-0.0]), {0: 1})
    (value,) = read(database, 1, "loss")["loss"]
    assert str(value) == ("0.0" if database_kind == "sqlite" else "-0.0")


def test_single_precision_is_stored_as_the_number_it_is(database, experiment):
    write(database, made([0], np.array([0.1], dtype=np.float32)), {0: 1})
    assert read(database, 1, "loss")["loss"] == [float(np.float32(0.1))]


def test_vectors_and_integers(database, experiment):
    vectors = np.array([[1.5, -0.0], [np.nan, np.inf], [1e-300, -np.inf]])
    signs = np.array([1.0, np.nan, -1.0])
    write(database, made([0, 0, 0], [1.0, 2.0, 3.0], singular_values=vectors, determinant_sign=signs), {0: 1})
    columns = read(database, 1, "singular_values", "determinant_sign")
    assert columns["singular_values"] == [[1.5, -0.0], ["NaN", "Infinity"], [1e-300, "-Infinity"]]
    assert str(columns["singular_values"][0][1]) == "-0.0"
    assert columns["determinant_sign"] == [1, None, -1]
    assert [type(value) for value in columns["determinant_sign"]] == [int, type(None), int]


def test_a_vector_of_one_point_and_one_without_entries(database, experiment):
    write(database, made([0], [1.0], singular_values=np.array([[2.0]]), entries=np.zeros((1, 0))), {0: 1})
    assert read(database, 1, "singular_values", "entries") == {"singular_values": [[2.0]], "entries": [[]]}


def test_only_the_points_of_asked_members_are_stored(database, experiment):
    write(database, made([0, 1, 0], [1.0, 2.0, 3.0]), {1: 2})
    assert read(database, 1, "loss") == {"loss": []}
    assert read(database, 2, "step", "loss") == {"step": [1], "loss": [2.0]}


def test_points_stored_twice_are_there_once_as_they_first_were(database, experiment):
    write(database, made([0, 0], [1.0, 2.0]), {0: 1})
    write(database, made([0, 0, 0], [7.0, 8.0, 9.0]), {0: 1})
    assert read(database, 1, "step", "loss") == {"step": [0, 1, 2], "loss": [1.0, 2.0, 9.0]}


@pytest.mark.parametrize("rows_at_once", [1, 3, 1000])
def test_any_pattern_of_what_is_missing_is_null_where_it_is_and_nowhere_else(
    database, experiment, monkeypatch, rows_at_once
):
    """Rows are written in blocks of those that are NULL in the same columns."""
    monkeypatch.setattr(copy_rows, "ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(point_rows, "ROWS_AT_ONCE", rows_at_once)
    random = np.random.default_rng(3)
    names = ("loss", "frobenius_norm", "determinant_sign", "numerical_rank")
    numbers = {name: random.integers(-5, 5, 50) + (0.25 if i < 2 else 0.0) for i, name in enumerate(names)}
    numbers = {name: np.where(random.random(50) < 0.3, np.nan, column) for name, column in numbers.items()}
    numbers["gradient_norm"] = np.full(50, np.nan)
    vectors = {"singular_values": random.random((50, 3)), "entries": np.round(random.normal(size=(50, 1)), 2)}
    numbers |= {"balancedness_gap": random.random(50).astype(np.float32)}
    ranks = {"matricisation_ranks": random.integers(1, 9, (50, 3))}
    columns = {"step": np.tile(np.arange(25), 2) + 2**40, **numbers, **vectors, **ranks}
    write(database, Points(np.repeat([0, 1], 25), columns), {0: 1, 1: 2})
    for run_id, rows in ((1, slice(0, 25)), (2, slice(25, 50))):
        stored = read(database, run_id, *columns)
        for name, column in columns.items():
            expected = [None if np.ndim(value) == 0 and value != value else value for value in column[rows].tolist()]
            assert stored[name] == expected, name


def test_an_integer_too_large_for_its_column_is_an_error(database, database_kind, experiment):
    points = made([0, 0], [1.0, 2.0], numerical_rank=np.array([1.0, 2.0**40]))
    if database_kind == "sqlite":  # whose integers all have 64 bits
        write(database, points, {0: 1})
        assert read(database, 1, "numerical_rank") == {"numerical_rank": [1, 2**40]}
    else:
        with pytest.raises(OverflowError, match=r"1099511627776.* 32 bits of the column numerical_rank"):
            write(database, points, {0: 1})


def test_a_deleted_experiment_takes_its_points_along(database, experiment):
    write(database, made([0, 1], [1.0, 2.0]), {0: 1, 1: 2})
    delete(database, experiment.id)
    with database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(trajectory_points)) == 0
        assert connection.scalar(sa.select(sa.func.count()).select_from(runs)) == 0


def read_in_bulk(database, run_ids, *names):
    """Rows of run id, step and the named columns."""
    pieces = stream_points(database, run_ids, PointSelection(names), lambda columns: list(zip(*columns, strict=True)))
    return [row for read in pieces for piece in read for row in piece]


def test_reading_in_bulk_gives_the_same_values(database, experiment):
    signs, vectors = np.array([1.0, np.nan] * 5), np.array([[1.5, np.inf]] * 10)
    points = made(
        [0] * 10 + [1] * 10, FLOATS * 2, determinant_sign=np.tile(signs, 2), singular_values=np.tile(vectors, (2, 1))
    )
    write(database, Points(points.member, {**points.columns, "step": np.tile(np.arange(10), 2)}), {0: 1, 1: 2})
    rows = read_in_bulk(database, [1, 2], "loss", "determinant_sign", "singular_values")
    expected = [None if np.isnan(value) else value for value in FLOATS]
    assert [row[:2] for row in rows] == [(run_id, step) for run_id in (1, 2) for step in range(10)]
    assert bits([row[2] for row in rows]) == bits(expected * 2)
    assert [row[3] for row in rows] == [1, None] * 10
    assert {orjson.loads(row[4])[0] for row in rows} == {1.5}


def test_an_error_of_the_driver_is_one_of_the_databases(database, experiment):
    write(database, made([0], [1.0]), {0: 1})
    with database.writing() as connection:
        connection.execute(sa.text("ALTER TABLE trajectory_points RENAME COLUMN loss TO lost"))
    with pytest.raises(DBAPIError, match="loss"):
        read_in_bulk(database, [1], "loss")
    with pytest.raises(DBAPIError, match="loss"):
        arrays(database, {1: ["loss"]})


def test_columns_are_arrays_with_nan_for_null(database, experiment):
    vectors = np.array([[1.5, np.nan], [np.inf, -np.inf], [0.0, 1e-300]])
    changed = made([0, 0, 0], [1.0, np.nan, np.inf], singular_values=vectors, determinant_sign=[1.0, np.nan, -1.0])
    write(
        database, Points(changed.member, {name: np.array(column) for name, column in changed.columns.items()}), {0: 1}
    )
    columns = arrays(database, {1: ["step", "loss", "singular_values", "determinant_sign"]})[1]
    assert {name: column.dtype.kind for name, column in columns.items()} == {
        "step": "i",
        "loss": "f",
        "singular_values": "f",
        "determinant_sign": "f",
    }
    np.testing.assert_array_equal(columns["step"], [0, 1, 2])
    np.testing.assert_array_equal(columns["loss"], [1.0, np.nan, np.inf])
    np.testing.assert_array_equal(columns["singular_values"], vectors)
    np.testing.assert_array_equal(columns["determinant_sign"], [1.0, np.nan, -1.0])


def test_each_run_has_its_own_columns_and_its_own_width(database, experiment):
    write(database, made([0, 0], [1.0, 2.0], entries=np.array([[1.0], [2.0]])), {0: 1})
    write(database, made([0], [3.0], entries=np.array([[3.0, 4.0]])), {0: 2})
    columns = arrays(database, {1: ["entries"], 2: ["entries", "loss"], 3: ["loss"]})
    assert {run_id: list(named) for run_id, named in columns.items()} == {1: ["entries"], 2: ["entries", "loss"]}
    assert (columns[1]["entries"].tolist(), columns[2]["entries"].tolist()) == ([[1.0], [2.0]], [[3.0, 4.0]])


def test_a_vector_that_was_never_recorded_is_nan_at_each_point(database, experiment):
    write(database, made([0, 0], [1.0, 2.0]), {0: 1})
    assert np.isnan(arrays(database, {1: ["entries"]})[1]["entries"]).tolist() == [True, True]


@pytest.mark.parametrize("rows_at_once", [1, 3, 1000])
@pytest.mark.parametrize("points_per_read", [1, 4, 1000])
@pytest.mark.parametrize("runs_per_read", [1, 2, 1000])
def test_however_points_are_cut_into_reads_both_readers_give_them_once(
    database, experiment, monkeypatch, rows_at_once, points_per_read, runs_per_read
):
    monkeypatch.setattr(raw_rows, "ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(point_streams, "POINTS_PER_READ", points_per_read)
    for readers in (point_streams, stored_points):
        monkeypatch.setattr(readers, "RUNS_PER_READ", runs_per_read)
    signs = np.array([1.0, 1.0, np.nan, -1.0, 1.0])  # integers in one piece, NULL in the next
    write(database, made([0] * 5, np.arange(5.0), determinant_sign=signs), {0: 1})
    write(database, made([0] * 4, -np.arange(4.0), determinant_sign=signs[:4]), {0: 2})
    columns = arrays(database, {1: ["step", "loss", "determinant_sign"], 2: ["step", "loss", "determinant_sign"]})
    streamed = read_in_bulk(database, [1, 2], "loss", "determinant_sign")
    for run_id, length in ((1, 5), (2, 4)):
        rows = [row[1:] for row in streamed if row[0] == run_id]
        expected = np.array(rows, dtype=float).T
        assert expected[0].tolist() == list(range(length))
        np.testing.assert_array_equal(np.array([columns[run_id][name] for name in columns[run_id]]), expected)


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_numbers_in_bulk_are_the_same_values(database, experiment, monkeypatch, at_once):
    """However the reads cut the runs; a run without points among them."""
    monkeypatch.setattr(point_streams, "POINTS_PER_READ", at_once)
    monkeypatch.setattr(point_streams, "RUNS_PER_READ", min(at_once, 2))
    signs = np.array([1.0, np.nan] * 5)
    points = made([0] * 10 + [1] * 10, FLOATS * 2, determinant_sign=np.tile(signs, 2))
    write(database, Points(points.member, {**points.columns, "step": np.tile(np.arange(10), 2)}), {0: 1, 1: 2})
    names = ("loss", "determinant_sign", "time")
    numbers = np.concatenate([*stream_numbers(database, [1, 2, 99], PointSelection(names))], axis=1)
    rows = np.array(read_in_bulk(database, [1, 2, 99], *names), dtype=np.float64)
    assert numbers.shape == (5, 20)
    np.testing.assert_array_equal(numbers.T, rows)
    later = [*stream_numbers(database, [1, 2], PointSelection(names, 3, 5))]
    np.testing.assert_array_equal(np.concatenate(later, axis=1).T, rows[(rows[:, 1] >= 3) & (rows[:, 1] <= 5)])
