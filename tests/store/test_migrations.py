"""Revisions: they give the schema of the tables, go up and down, and keep what older schemas held."""

import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from migrations.views import views_of
from service.errors import NotReady
from service.queries.catalogues import RUNS
from service.store import leases
from service.store.database import Database
from service.store.migrate import alembic_config, migrate
from service.store.schema import check_schema, newest_revision
from service.store.spec_columns import SPEC_COLUMNS
from service.store.tables import checkpoints, experiments, runs, summaries, trajectory_points
from service.values.statuses import RUN_STATUSES
from tests.helpers.databases import BOTH_DATABASES
from tests.store import first_schema
from workers.runs.metrics import TRAJECTORY_COLUMNS


@BOTH_DATABASES
def test_the_migrations_give_the_schema_of_the_tables(database):
    command.check(alembic_config(database.url))


@BOTH_DATABASES
def test_down_and_up_again(database):
    command.downgrade(alembic_config(database.url), "base")
    with pytest.raises(NotReady):
        check_schema(database)
    migrate(database.url)
    check_schema(database)


@pytest.fixture
def upgraded(database: Database) -> Database:
    """A database of the first schema with rows in it, brought to the newest."""
    command.downgrade(alembic_config(database.url), "base")
    command.upgrade(alembic_config(database.url), "0001")
    with database.writing() as connection:
        first_schema.fill(connection)
    migrate(database.url)
    return database


def revisions(database):
    """All revisions, oldest first."""
    script = ScriptDirectory.from_config(alembic_config(database.url))
    return [revision.revision for revision in script.walk_revisions()][::-1]


def test_the_newest_revision_is_that_of_alembic(database):
    assert newest_revision() == revisions(database)[-1]


def described(database):
    """All that a schema says of its tables, and the columns of each view, which must be there when it is read."""
    with database.reading() as connection:
        schema = sa.inspect(connection)
        tables = {table: described_table(schema, table) for table in sorted(schema.get_table_names())}
        views = {
            view: list(connection.exec_driver_sql(f"SELECT * FROM {view}").keys())
            for view in sorted(schema.get_view_names())
        }
    return tables, views


def described_table(schema, table):
    columns = {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in schema.get_columns(table)}
    indexes = {
        index["name"]: (
            index["column_names"],
            bool(index["unique"]),
            words(index["dialect_options"]),
        )
        for index in schema.get_indexes(table)
    }
    keys = {key["name"]: key["column_names"] for key in schema.get_unique_constraints(table)}
    foreign = {key["name"]: (key["constrained_columns"], key["options"]) for key in schema.get_foreign_keys(table)}
    return columns, indexes, keys, foreign, schema.get_pk_constraint(table)["constrained_columns"]


def words(options):
    """What a condition says, however PostgreSQL writes it: it has two ways to put the same casts."""
    return {name: set(re.findall(r"\w+", str(value))) for name, value in options.items()}


@pytest.mark.slow
@BOTH_DATABASES
def test_every_revision_is_reached_from_below_and_from_above(database: Database):
    """With rows in it, and with views that can be read; after the way down each step up leads where it did before."""
    newest = described(database)
    command.downgrade(alembic_config(database.url), "base")
    seen = {}
    for revision in revisions(database):
        command.upgrade(alembic_config(database.url), revision)
        if not seen:
            with database.writing() as connection:
                first_schema.fill(connection)
        seen[revision] = described(database)
    assert seen[revision] == newest
    for revision in reversed(seen):
        command.downgrade(alembic_config(database.url), revision)
        assert described(database) == seen[revision]
    for revision in seen:
        command.upgrade(alembic_config(database.url), revision)
        assert described(database) == seen[revision]


VIEWS = {
    "0007_views": "88daf414046229b11e01a4bb7d2ab7e54475e379d916f5840893af903e390520",
    "0010_max_time": "d31713f1001bf27d7661fb04296f7d62c9dd2f2992e3d822d6e8ac8bf0011509",
    "0013_seeds_of_any_size": "85e306c9287da387948a7a92e4a2e0ce276cd45f8a5ce1c5d24b58c5dfaf34cf",
    "0014_expiring_experiments": "548710503bca7c29ba264439b2773fb6ecaef65b55f41e8201a24f7f139f7694",
    "0015_parts_of_specs": "12f5ad1346ee6cd41b2556d2c585e2d18b16fa50c78fe2348133454d53fb92c2",
    "0016_margin": "d78b8897c30238555fd7c1fe3a2579912aed3a0d55366c0f6dee5483f4b75ec2",
    "0017_hessians_alignments_and_snapshots": "f256eb94a682ff8aea5135944c86c053f5af6008dddb837b1841df14e04fde34",
    "0018_test_loss": "3afad3fa4fa5ad27e1e6fb4cb11231726f185f7cf2ca40f66d57b0bdae4bc187",
    "0019_objectives": "2618df64f6b3f0136c7817d5440d45f0834943df15cb2a2d5d52a080cf186e39",
    "0020_vectors": "706684e278056d5a313243b2f8a728146ee097421ff674feb8f061454148e590",
    "0021_phases": "64f1a7d2e65bdbc864c69ce12b27d6e256349fe964d692b279e3fea9ddde14c0",
    "0022_baselines": "89663aeac98a732fc61e3173012d8124e3f94a3138ebda0c3a2f43f73e02e67e",
    "0023_computed_with": "8eb90267e2b778b6d1a0fa6202f17f0e705a50f1208865121b104ab72f080acb",
    "0024_components_of_trees_and_cuts": "1ece8aca156912c8c371aa10d29aba7b0a53373f2bc53f747f11ae3fa53e0999",
}
"""Digests of the views' texts. A revision that was released is not changed: a new one replaces them."""


@pytest.mark.parametrize("file", VIEWS)
def test_the_views_of_a_revision_stay_as_they_were(file):
    assert hashlib.sha256(repr(views_of(file).texts("sqlite")).encode()).hexdigest() == VIEWS[file]


def test_the_newest_views_have_what_there_is_now(database: Database):
    """What a spec, a state, a summary or a point has gained stands in a revision too."""
    views = {view: set(columns) for view, columns in described(database)[1].items()}
    state = {name for name in RUNS.names() if name in runs.c} - {"id", "experiment_id", "index", "spec"}
    assert views["run_summary"] == {
        *("run_id", "experiment_id", "experiment_name", "tags", "run_index", "compute_seconds"),
        *state,
        *(column.view for column in SPEC_COLUMNS),
        *RUNS.names("summary"),
    }
    assert views["trajectory"] == {"run_id", "experiment_id", *TRAJECTORY_COLUMNS}
    assert {*RUN_STATUSES} < views["experiment_summary"]


@BOTH_DATABASES
def test_a_nuclear_norm_loses_the_time_that_was_posted_beside_it(upgraded: Database):
    command.downgrade(alembic_config(upgraded.url), "0009")
    with upgraded.writing() as connection:
        connection.execute(sa.update(runs).values(max_time=2.0))
        connection.execute(sa.update(runs).where(runs.c.id == 1).values(model_kind="nuclear_norm"))
    migrate(upgraded.url)
    with upgraded.reading() as connection:
        times = connection.exec_driver_sql("SELECT max_time FROM run_summary ORDER BY run_index").scalars().all()
    assert times == [None, 2.0, 2.0]


@BOTH_DATABASES
def test_what_the_first_schema_held_is_still_there(upgraded: Database):
    with upgraded.reading() as connection:
        experiment = connection.execute(sa.select(experiments)).mappings().one()
        run = connection.execute(sa.select(runs).where(runs.c.id == 1)).mappings().one()
        checkpoint = connection.execute(sa.select(checkpoints)).mappings().one()
        summary = connection.execute(sa.select(summaries)).mappings().one()
        points = connection.execute(sa.select(trajectory_points).order_by(trajectory_points.c.step)).mappings().all()
    spec = orjson.loads(first_schema.SPEC)
    assert (experiment["name"], experiment["tags"], experiment["run"]) == ("kept", {"paper": "2005.06398"}, spec)
    assert experiment["created_at"].isoformat() == "2026-01-02T03:04:05.678901+00:00"
    assert (run["spec"], run["step"], run["tensor_order"], run["max_steps"]) == (spec, 12, None, 2**53 - 1)
    assert str(run["spec"]["problem"]["epsilon"]) == "-0.0"
    assert (checkpoint["state"], checkpoint["milestones"]) == (first_schema.STATE, first_schema.MILESTONES)
    assert (summary["loss"], summary["determinant_sign"]) == (first_schema.LOSSES[-1], -1)
    assert summary["first_step_below"] == {"0.1": 3}
    assert [point["loss"] for point in points] == list(first_schema.LOSSES)
    assert points[0]["singular_values"] == [0.30000000000000004, 1e-300]


@BOTH_DATABASES
def test_runs_of_the_first_schema_go_on(upgraded: Database):
    """The leased one is given back by the first dispatcher; the one of a halved batch keeps its limit."""
    with upgraded.writing() as connection:
        assert leases.release_strays(connection, leases.NO_DISPATCHER, []) == 1
        queues = leases.waiting_queues(connection, 10, 10)
    assert [(queue["first_run"], key.batch_limit, queue["waiting"]) for key, queue in queues] == [
        (2, None, 1),
        (3, 4, 1),
    ]


@BOTH_DATABASES
def test_ids_go_on_where_they_were(upgraded: Database):
    """Also where PostgreSQL's sequences did not see the rows that were there."""
    with upgraded.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval('runs_id_seq', 2147483647)")
        else:
            connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = 2147483647 WHERE name = 'runs'")
        row = {**first_schema.RUN, "spec": {}, "public_id": "new", "index": 3, "status": "queued"}
        row["created_at"] = sa.func.now()
        assert connection.execute(sa.insert(runs).values(row)).inserted_primary_key == (2147483648,)


@pytest.mark.slow
@BOTH_DATABASES
def test_two_that_migrate_at_once_wait_for_each_other(database: Database, settings):
    command.downgrade(alembic_config(database.url), "base")
    once = [sys.executable, "-m", "service.cli", "migrate", "--data-dir", str(settings.data_dir)]
    environment = {**os.environ, "RANKWARD_DATABASE_URL": settings.url}
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda _: subprocess.run(once, env=environment, check=False).returncode, range(2)))
    assert ended == [0, 0]
    check_schema(database)


def test_a_revision_that_copies_a_table_deletes_nothing(upgraded: Database):
    """SQLite drops the old table of a copy; with foreign keys on, that would delete what refers to it."""
    with upgraded.migrating() as connection:
        connection.exec_driver_sql("CREATE TABLE copy AS SELECT * FROM runs")
        connection.exec_driver_sql("DROP TABLE runs")
        connection.exec_driver_sql("ALTER TABLE copy RENAME TO runs")
        connection.exec_driver_sql("CREATE UNIQUE INDEX copied ON runs (id)")
    with upgraded.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(trajectory_points)) == 3
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_sqlite_is_set_up_as_the_store_relies_on(database: Database):
    with database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30_000}
