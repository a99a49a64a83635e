"""Archives: a Parquet file of an experiment, and the same experiment again from it."""

import hashlib

import duckdb
import polars
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from service.settings import Limits
from service.store.tables import checkpoints, factor_snapshots, runs, summaries, trajectory_points
from service.use_cases.imports import import_archive
from service.values.version import VERSION
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC

pytestmark = BOTH_DATABASES

EXPERIMENT = {
    "name": "to keep",
    "tags": {"paper": "2005.06398"},
    "run": BASIC | {"record": {"every": 50, "factors": {"steps": [0, 100]}, "metrics": ["sharpness"]}},
    "sweep": [{"model.depth": [2, 3]}, {"seed": [0, 2**60]}],
}
LISTED = {
    "run": BASIC
    | {
        "problem": {
            "kind": "completion",
            "shape": [6, 6],
            "observations": [{"index": [0, i], "value": 0.1 * i} for i in range(6)],
        },
        "record": {"every": 50},
    },
    "sweep": [{"seed": [0, 1]}],
}


def archived(api, experiment, folder):
    answer = api.get(f"/v1/experiments/{experiment['id']}/archive")
    assert answer.status_code == 200, answer.text
    path = folder / f"{experiment['id']}.parquet"
    path.write_bytes(answer.content)
    return path


def imported(api, path):
    return api.post("/v1/experiments/import", content=path.read_bytes())


def removed(api, database, experiment):
    assert api.delete(f"/v1/experiments/{experiment['id']}").status_code == 204
    with database.reading() as connection:
        tables = (runs, summaries, trajectory_points, checkpoints, factor_snapshots)
        assert [connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables] == [0] * 5


def seen(api, experiment):
    """All that clients see of an experiment."""
    path = f"/v1/experiments/{experiment['id']}"
    items = api.get("/v1/runs", params={"experiment_id": experiment["id"]}).json()["items"]
    points = [api.get(f"/v1/runs/{run['id']}/trajectory").json() for run in items]
    factors = [api.get(f"/v1/runs/{run['id']}/factors").content for run in items]
    kept = [api.get(f"/v1/runs/{run['id']}/factors/steps").json() for run in items]
    return api.get(path).json(), items, points, [hashlib.sha256(one).hexdigest() for one in factors], kept


@pytest.mark.parametrize("experiment", [EXPERIMENT, LISTED], ids=["factors", "long parts"])
def test_what_was_archived_and_removed_comes_back_as_it_was(api, database, finish, tmp_path, experiment):
    stored = finish(experiment)
    before = seen(api, stored)
    path = archived(api, stored, tmp_path)
    removed(api, database, stored)
    answer = imported(api, path)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["is_new"], answer.json()["renamed_runs"]) == (True, 0)
    assert answer.json()["experiment"]["id"] == stored["id"]
    assert answer.headers["location"] == f"/v1/experiments/{stored['id']}"
    assert seen(api, stored) == before
    first = pq.read_table(path)
    assert pq.read_table(archived(api, stored, tmp_path)).equals(first, check_metadata=True)


def test_a_second_import_changes_nothing(api, finish, tmp_path):
    stored = finish(EXPERIMENT)
    before = seen(api, stored)
    path = archived(api, stored, tmp_path)
    for _ in range(2):
        again = imported(api, path)
        assert (again.status_code, again.json()["is_new"]) == (200, False)
    assert seen(api, stored) == before
    assert len(api.get("/v1/experiments").json()["items"]) == 1


def test_an_imported_run_goes_on_as_if_it_had_stayed(api, database, dispatcher, finish, tmp_path):
    def extended(run_id):
        assert api.post(f"/v1/runs/{run_id}/extend", json={"max_steps": 900}).status_code == 202
        for _ in range(200):
            dispatcher.tick()
            if api.get(f"/v1/runs/{run_id}").json()["status"] == "succeeded":
                return api.get(f"/v1/runs/{run_id}/trajectory").json()["columns"]
        raise AssertionError

    short = EXPERIMENT | {"run": EXPERIMENT["run"] | {"stop": {"max_steps": 300}}, "sweep": []}
    stayed, moved = finish(short), finish(short)
    path = archived(api, moved, tmp_path)
    assert api.delete(f"/v1/experiments/{moved['id']}").status_code == 204
    assert imported(api, path).status_code == 201
    first, second = (
        api.get("/v1/runs", params={"experiment_id": one["id"]}).json()["items"][0]["id"] for one in (stayed, moved)
    )
    assert extended(first) == extended(second)


def test_ids_that_others_have_are_replaced_and_said(api, database, finish, tmp_path):
    stored = finish(EXPERIMENT)
    path = archived(api, stored, tmp_path)
    with database.writing() as connection:  # as after an import into another service whose experiment has another id
        connection.execute(sa.text("UPDATE experiments SET public_id = 'another'"))
    answer = imported(api, path).json()
    assert answer["is_new"]
    assert answer["renamed_runs"] == stored["runs"]["total"]
    assert answer["experiment"]["id"] == stored["id"]


def test_any_reader_of_parquet_reads_it(api, finish, tmp_path):
    stored = finish(EXPERIMENT)
    path = archived(api, stored, tmp_path)
    run = api.get("/v1/runs", params={"experiment_id": stored["id"]}).json()["items"][0]
    points = api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]
    query = f"SELECT unnest(points, recursive := true) FROM '{path}' WHERE public_id = '{run['id']}'"
    table = duckdb.sql(query).to_arrow_table()
    assert table["loss"].to_pylist() == points["loss"]
    assert table["singular_values"].to_pylist() == points["singular_values"]
    frame = polars.read_parquet(path).select("index", "points").explode("points").unnest("points")
    assert frame.filter(polars.col("index") == 0)["step"].to_list() == points["step"]
    metadata = pq.read_schema(path).metadata
    assert VERSION in metadata[b"rankward.versions"].decode()
    assert duckdb.sql(f"SELECT computed_with FROM '{path}'").limit(1).fetchall()[0][0].startswith('{"')


def test_what_is_no_archive_is_refused_and_leaves_nothing(api, finish, tmp_path):
    stored = finish(EXPERIMENT)
    path = archived(api, stored, tmp_path)
    table = pq.read_table(path)
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(table.replace_schema_metadata({}), foreign)
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(path.read_bytes()[:-100])
    wrong = tmp_path / "wrong.parquet"
    specs = table.column("spec").to_pylist()
    spoilt = [*specs[:-1], specs[-1].replace('"depth":3', '"depth":-3')]
    index = table.schema.get_field_index("spec")
    pq.write_table(table.set_column(index, table.schema.field(index), [spoilt]), wrong)
    api.delete(f"/v1/experiments/{stored['id']}")
    for file in (foreign, torn, wrong):
        answer = imported(api, file)
        assert answer.status_code == 422, answer.text
        assert "archive" in answer.json()["detail"] or "spec that is not valid" in answer.json()["detail"]
    assert api.get("/v1/experiments").json()["items"] == []
    assert imported(api, path).status_code == 201


def test_what_is_not_over_is_not_archived(api, finish):
    queued = api.post("/v1/experiments", json=EXPERIMENT).json()
    answer = api.get(f"/v1/experiments/{queued['id']}/archive")
    assert answer.status_code == 409
    assert "4 queued" in answer.json()["detail"]


def test_sizes_count_what_there_is(api, finish):
    stored = finish(EXPERIMENT)
    size = api.get(f"/v1/experiments/{stored['id']}/size").json()
    items = api.get("/v1/runs", params={"experiment_id": stored["id"]}).json()["items"]
    points = sum(len(api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]["step"]) for run in items)
    assert (size["runs"], size["points"]) == (4, points)
    assert size["bytes"] > 100 * points


def test_more_runs_than_an_experiment_may_have_are_refused(api, database, finish, tmp_path):
    stored = finish(EXPERIMENT)
    path = archived(api, stored, tmp_path)
    api.delete(f"/v1/experiments/{stored['id']}")
    with pytest.raises(Exception, match="RANKWARD_MAX_RUNS_PER_EXPERIMENT"):
        import_archive(database, path, Limits(max_runs_per_experiment=3))
