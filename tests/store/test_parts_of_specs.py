"""Long parts of specs: stored once for an experiment, seen everywhere as if each run held them, and removed with it."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from alembic import command

from service.settings import Limits
from service.store import expiry
from service.store.migrate import alembic_config, migrate
from service.store.tables import experiments, runs, spec_parts
from service.use_cases import storing
from service.use_cases.payloads import parse_request
from service.use_cases.submissions import submit
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC
from workers.runs import parts
from workers.runs.spec import RunSpec

pytestmark = BOTH_DATABASES

NEVER = 2**40
OBSERVATIONS = [{"index": [0, 0], "value": 1.0}, {"index": [0, 1], "value": -0.0}, {"index": [1, 0], "value": 1e-7}]
FACTORS = [[[[0.1, 0.0], [0.0, scale]], [[0.1, 0.0], [0.0, 0.1]]] for scale in (0.1, 0.2)]
RUN = {
    **BASIC,
    "problem": {"kind": "completion", "shape": [2, 2], "observations": OBSERVATIONS},
    "model": {"kind": "deep_matrix", "depth": 2},
    "init": {"kind": "explicit"},
    "stop": {"max_steps": 20},
    "record": {"entries": [[1, 1], [0, 1], [1, 0]], "metrics": ["numerical_rank", "determinant"]},
}
SWEEP = [{"init.factors": FACTORS}, {"optimizer.learning_rate": [0.01, 0.1]}, {"seed": [0, 1, 2]}]
EXPERIMENT = {"name": "long parts", "run": RUN, "sweep": SWEEP}
CONDITIONS = (
    "problem.observations[2].value < 1e-6",
    "problem.observations[1].index[1] = 1",
    "problem.observations[3].value IS NULL",
    "problem.observations IS NOT NULL AND problem.target IS NULL",
    "init.factors[0][1][1] >= 0.15",
    "record.metrics[0] LIKE 'numerical%'",
    "NOT record.entries[0][0] = 1",
    "problem.shape[0] IN (2, 3) AND model.depth = 2",
)


@pytest.fixture(params=[19, 45])
def least(request, monkeypatch):
    """Bytes from which values are parts."""
    monkeypatch.setattr(parts, "LEAST_PART_BYTES", request.param)
    return request.param


def stored_parts(database):
    with database.reading() as connection:
        return connection.execute(sa.select(spec_parts)).mappings().all()


def stored_specs(database):
    with database.reading() as connection:
        return connection.execute(sa.select(runs.c.spec, runs.c.parts).order_by(runs.c.id)).all()


def store(database, experiment=EXPERIMENT, **limits):
    return submit(database, parse_request(orjson.dumps(experiment)), Limits(**limits), None).experiment.id


def specs_of(api, experiment_id):
    return [run["spec"] for run in api.get("/v1/runs", params={"experiment_id": experiment_id}).json()["items"]]


def expected_specs():
    return [
        RunSpec.model_validate(
            {
                **RUN,
                "init": {**RUN["init"], "factors": factors},
                "optimizer": {**RUN["optimizer"], "learning_rate": rate},
                "seed": seed,
            }
        ).resolved()
        for factors in FACTORS
        for rate in (0.01, 0.1)
        for seed in range(3)
    ]


def without_marks(text):
    """A text without what differs between two experiments that are equal otherwise."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?", "TIME", text)
    text = re.sub(r'"steps_per_second":[^,}]+', "SPEED", text)
    text = re.sub(r'"next":"[^"]+"', "NEXT", text)
    return re.sub(r"\b[0-9a-f]{8}\b", "SHORT", text)


def all_ways(api, experiment_id):
    """Every way a spec comes out, as texts."""
    of = {"experiment_id": experiment_id}
    ids = [run["id"] for run in api.get("/v1/runs", params=of).json()["items"]]
    last = ids[-1]
    api.post(f"/v1/runs/{last}/extend", json={"max_steps": 30})
    api.post(f"/v1/runs/{last}/cancel")
    api.post(f"/v1/runs/{last}/retry")
    posted = api.get(f"/v1/experiments/{experiment_id}").json()
    gets = {
        "run": (f"/v1/runs/{last}", {}),
        "first run": (f"/v1/runs/{ids[0]}", {}),
        "experiment": (f"/v1/experiments/{experiment_id}", {}),
        "list": ("/v1/runs", of),
        "two pages": ("/v1/runs", {**of, "limit": 2, "fields": "index,spec"}),
        "fields": ("/v1/runs", {**of, "fields": "index,problem.observations,init.factors[0],problem.shape[1],record"}),
        "lines": ("/v1/runs", {**of, "format": "ndjson", "fields": "index,spec"}),
        "table": ("/v1/runs", {**of, "format": "csv", "fields": "index,spec,problem.observations,problem.shape[0]"}),
        "points": ("/v1/trajectories", of),
        "points in a table": ("/v1/trajectories", {**of, "format": "csv"}),
        "theory": (f"/v1/runs/{ids[0]}/theory", {}),
        "groups": (f"/v1/experiments/{experiment_id}/summary", {"metric": "loss", "group_by": "init.factors[0][1][1]"}),
        "sorted": ("/v1/runs", {**of, "order_by": "-init.factors[0][1][1],index", "fields": "index"}),
        "edit as new": ("/new", {"experiment": experiment_id}),
        "run as new": ("/new", {"run": last}),
        "figures": (f"/v1/experiments/{experiment_id}/figures", {}),
    }
    for number, where in enumerate(CONDITIONS):
        gets[f"where {number}"] = "/v1/runs", {**of, "where": where, "fields": "index"}
    for figure in api.get(f"/v1/experiments/{experiment_id}/figures").json()["items"]:
        gets[f"figure {figure['name']}"] = f"/v1/experiments/{experiment_id}/figures/{figure['name']}.json", {}
    answers = {name: api.get(path, params=query) for name, (path, query) in gets.items()}
    assert {name: answer.text for name, answer in answers.items() if answer.status_code != 200} == {}
    again = {name: posted[name] for name in ("name", "run", "sweep")}
    answers["dry run"] = api.post("/v1/experiments?dry_run=true", json=again)
    return {name: without_marks(answer.text) for name, answer in answers.items()}


def test_every_way_out_gives_what_specs_stored_whole_give(api, finish, monkeypatch):
    outs = []
    for least in (NEVER, 19, 45):
        monkeypatch.setattr(parts, "LEAST_PART_BYTES", least)
        outs.append(all_ways(api, finish(EXPERIMENT)["id"]))
    for name, whole in outs[0].items():
        assert outs[1][name] == outs[2][name] == whole, name
    assert '"value":-0.0' in outs[1]["run"]
    assert "[1][1]" not in outs[0]["where 4"]
    assert outs[0]["where 0"] != outs[0]["where 4"] != outs[0]["where 2"]


def test_a_part_is_stored_once_and_specs_come_back_to_the_byte(api, database, least):
    experiment_id = store(database)
    kept = stored_parts(database)
    different = 1 + 2 + (least == 19) * 2
    assert len(kept) == different
    assert all(part["bytes"] == len(part["value"].encode()) for part in kept)
    specs = stored_specs(database)
    assert all(spec["problem"]["observations"] is None and len(places) >= 2 for spec, places in specs)
    assert orjson.dumps(specs_of(api, experiment_id)) == orjson.dumps(expected_specs())


def test_a_parquet_table_has_whole_specs(api, database, least):
    experiment_id = store(database)
    query = {"experiment_id": experiment_id, "format": "parquet"}
    table = pq.read_table(io.BytesIO(api.get("/v1/runs", params=query).content)).to_pylist()
    assert [orjson.loads(row["spec"]) for row in table] == expected_specs()
    rows = csv.DictReader(io.StringIO(api.get("/v1/runs", params={**query, "format": "csv"}).text))
    assert [orjson.loads(row["spec"]) for row in rows] == expected_specs()


def test_a_list_reads_each_part_once(api, database, least):
    experiment_id = store(database)
    read = list[int]()

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if "spec_parts.value" in statement:
            read.append(len(parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        assert len(specs_of(api, experiment_id)) == 12
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert read == [2 * len(stored_parts(database))]


def test_a_worker_gets_each_part_once_in_a_slice(api, dispatcher, finish, least):
    finish(EXPERIMENT)
    batch = dispatcher.cluster.batches[0]
    assert len(batch.members) == 12
    texts = {text for text in batch.parts.values() if '"index":[0,1]' in text}
    assert len(texts) == 1
    assert all('"observations":null' in member.spec for member in batch.members)


def test_pages_end_where_whole_specs_take_too_much(api, database, least, monkeypatch):
    store(database)
    size = len(orjson.dumps(expected_specs()[0]))
    monkeypatch.setattr(api.app.state, "limits", Limits(max_page_bytes=3 * size + 10))
    page = api.get("/v1/runs").json()
    assert len(page["items"]) == 3
    lines = api.get("/v1/runs", params={"format": "ndjson"}).text.splitlines()
    assert [orjson.loads(line)["spec"] for line in lines] == expected_specs()


@pytest.mark.parametrize("most", [1, 10**9])
def test_a_deletion_frees_parts(api, database, least, most, monkeypatch):
    monkeypatch.setattr(expiry, "MOST_PART_BYTES", most)
    other, experiment_id = store(database), store(database)
    before = len(stored_parts(database))
    assert api.delete(f"/v1/experiments/{experiment_id}").status_code == 204
    while True:
        with database.writing() as connection:
            if not expiry.remove_piece(connection, datetime.now(UTC) + timedelta(hours=1)):
                break
    assert len(stored_parts(database)) == before // 2
    assert specs_of(api, other) == expected_specs()
    with database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(experiments)) == 1


def test_a_sweep_in_pieces_stores_each_part_once(api, database, least, monkeypatch):
    monkeypatch.setattr(storing, "MOST_RUNS_OF_A_PIECE", 5)
    sent = list[int]()
    insert = storing.store.insert_runs

    def note(connection, experiment_id, rows, texts):
        sent.append(len(texts))
        insert(connection, experiment_id, rows, texts)

    monkeypatch.setattr(storing.store, "insert_runs", note)
    experiment_id = store(database)
    assert len(sent) == 3
    assert sum(sent) == len(stored_parts(database))
    assert orjson.dumps(specs_of(api, experiment_id)) == orjson.dumps(expected_specs())


def test_many_long_parts_make_small_pieces(api, database, least, monkeypatch):
    monkeypatch.setattr(storing, "MOST_BYTES_OF_A_PIECE", 1500)
    experiment_id = store(database)
    assert orjson.dumps(specs_of(api, experiment_id)) == orjson.dumps(expected_specs())


def test_a_spec_that_was_stored_whole_goes_on_and_is_split_then(api, database, finish, monkeypatch):
    monkeypatch.setattr(parts, "LEAST_PART_BYTES", NEVER)
    experiment = finish(EXPERIMENT)
    assert stored_parts(database) == []
    run_id = api.get("/v1/runs", params={"order_by": "index", "limit": 1}).json()["items"][0]["id"]
    monkeypatch.setattr(parts, "LEAST_PART_BYTES", 19)
    assert api.post(f"/v1/runs/{run_id}/extend", json={"max_steps": 30}).status_code == 202
    specs = expected_specs()
    specs[0]["stop"]["max_steps"] = 30
    assert orjson.dumps(specs_of(api, experiment["id"])) == orjson.dumps(specs)
    assert [places is not None for _, places in stored_specs(database)] == [True] + [False] * 11


def test_an_older_schema_gets_whole_specs_back_and_a_newer_one_reads_them(api, database, least):
    experiment_id = store(database)
    command.downgrade(alembic_config(database.url), "0014")
    with database.reading() as connection:
        whole = connection.exec_driver_sql("SELECT spec FROM runs ORDER BY id").scalars().all()
    loaded = [orjson.loads(spec) if isinstance(spec, str) else spec for spec in whole]
    assert loaded == expected_specs()
    migrate(database.url)
    assert [places for _, places in stored_specs(database)] == [None] * 12
    assert orjson.dumps(specs_of(api, experiment_id)) == orjson.dumps(expected_specs())


def test_views_show_stems_and_parts(database, least):
    experiment_id = store(database)
    with database.reading() as connection:
        seen = connection.exec_driver_sql("SELECT * FROM spec_part").mappings().all()
        stems = connection.exec_driver_sql("SELECT spec FROM run_spec").scalars().all()
    assert len(stems) == 12
    assert {row["experiment_id"] for row in seen} == {experiment_id}
    observed = [row for row in seen if row["pointer"] == "/problem/observations"]
    assert [orjson.loads(row["value"]) for row in observed] == [OBSERVATIONS] * 12


def test_a_sweep_of_seeds_over_a_large_problem_takes_its_size_once(api, database, tmp_path):
    observed = [{"index": [row, column], "value": row / 7} for row in range(100) for column in range(100)]
    problem = {"kind": "completion", "shape": [100, 100], "observations": observed}
    run = {**RUN, "problem": problem, "init": {"kind": "gaussian", "std": 0.1}, "record": {}}
    part = len(orjson.dumps(observed))
    run_id = store(
        database, {"run": run, "sweep": [{"seed": list(range(300))}]}, max_spec_bytes_per_experiment=part * 2
    )
    (kept,) = stored_parts(database)
    assert part * 0.9 < kept["bytes"] < part * 1.1
    with database.reading() as connection:
        rows = connection.scalar(sa.select(sa.func.sum(sa.func.length(sa.cast(runs.c.spec, sa.Text)))))
    assert rows < 300 * 1000
    if database.url.startswith("sqlite"):
        size = sum(file.stat().st_size for file in tmp_path.glob("rankward.db*"))
        assert size < 4 * part + 300 * 2000  # posted, stored as a part, and in the log as well
    spec = api.get("/v1/runs", params={"experiment_id": run_id, "limit": 1}).json()["items"][0]["spec"]
    assert spec["problem"]["observations"] == observed
