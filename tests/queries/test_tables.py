"""Points and views as both databases give them."""

import math
import re
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from service.exports.formats import FORMATS
from service.queries.catalogues import RUNS
from service.queries.where import parse_where
from service.settings import Limits
from service.store import point_streams, raw_rows
from service.store.runs import RunSelection, list_runs
from service.store.tables import trajectory_points
from service.use_cases.exports import export_runs, export_trajectories
from service.use_cases.listing import ListQuery
from service.use_cases.run_tables import COLUMNS
from service.use_cases.trajectories import PointQuery

LIMITS = Limits()
ARROW = FORMATS["arrow"]
WHOLE = PointQuery()


def points_of(database, query=WHOLE, where=None):
    chunks = export_trajectories(database, ListQuery(where), query, ARROW, LIMITS).chunks
    return pa.ipc.open_stream(b"".join(chunks)).read_all()


def rows_of(database, where):
    selection = RunSelection(where=None if where is None else parse_where(where, RUNS, LIMITS))
    with database.reading() as connection:
        runs = {row["id"]: row for row in list_runs(connection, selection, 1000)}
        query = sa.select(trajectory_points).where(trajectory_points.c.run_id.in_(list(runs)))
        points = (
            connection.execute(query.order_by(trajectory_points.c.run_id, trajectory_points.c.step)).mappings().all()
        )
    return runs, points


@pytest.mark.parametrize("where", [None, "model.kind = 'deep_matrix' AND step > 2", "problem.kind = 'sensing'"])
@pytest.mark.parametrize("size", [3, 2**15])
def test_all_points_come_once_and_in_order(stored, monkeypatch, where, size):
    monkeypatch.setattr(point_streams, "POINTS_PER_READ", size)
    monkeypatch.setattr(raw_rows, "ROWS_AT_ONCE", 2)
    runs, expected = rows_of(stored, where)
    table = points_of(stored, where=where)
    found = table.to_pylist()
    assert [(row["run_id"], row["step"]) for row in found] == [
        (runs[row["run_id"]]["public_id"], row["step"]) for row in expected
    ]
    for row, stored_row in zip(found, expected, strict=True):
        assert row["time"] == stored_row["time"]
        assert same(row["loss"], stored_row["loss"])
        values = stored_row["singular_values"]
        if values is not None:
            assert all(same(one, float(other)) for one, other in zip(row["singular_values"], values, strict=True))


def same(one, other):
    """Not a number is NULL in the database; all runs have a loss."""
    return math.isnan(one) if other is None or math.isnan(other) else one == other


def test_steps_are_cut(stored):
    table = points_of(stored, PointQuery(metrics="loss", from_step=1, to_step=10))
    assert set(table["step"].to_pylist()) == {1, 10}
    assert table.column_names == ["run_id", "step", "time", "loss"]


def test_thinned_points(stored):
    table = points_of(stored, PointQuery(metrics="loss", max_points=2))
    assert set(table["step"].to_pylist()) == {0, 100}


def test_the_table_of_runs_has_its_columns(stored):
    table = pa.ipc.open_stream(b"".join(export_runs(stored, ListQuery(), None, None, ARROW, LIMITS).chunks)).read_all()
    assert table.column_names == list(COLUMNS)
    assert table.num_rows == 100
    assert table.schema.field("summary.loss").type == pa.float64()
    assert table.schema.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert table["model.depth"].null_count > 0


def test_the_documented_queries_run_on_the_views(stored):
    page = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
    queries = re.findall(r"```sql run\n(.*?)```", page, re.DOTALL)
    assert len(queries) == 5
    with stored.reading() as connection:
        for query in queries:
            connection.execute(sa.text(query)).all()
        counts = [
            connection.scalar(sa.text(f"SELECT count(*) FROM {view}")) for view in ("experiment_summary", "run_summary")
        ]
    assert counts == [4, 100]


def test_views_take_no_writes(stored):
    with pytest.raises(sa.exc.DBAPIError), stored.writing() as connection:
        connection.execute(sa.text("DELETE FROM run_summary"))
