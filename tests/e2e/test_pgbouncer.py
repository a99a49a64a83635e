"""The service behind PgBouncer in transaction mode: its sessions change hands after every transaction."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sqlalchemy as sa

from service.schemas.requests import ExperimentRequest
from service.settings import Limits, Settings
from service.store.database import Database
from service.store.point_writes import insert_points
from service.store.tables import runs
from service.use_cases.submissions import submit
from service.values.pools import Pool
from tests.helpers.pgbouncer import SESSIONS, is_installed, pgbouncer
from tests.helpers.servers import Server
from tests.helpers.specs import BASIC
from workers.results import Points

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.skipif(not is_installed(), reason="there is no pgbouncer on this machine"),
]


@pytest.fixture
def pooled(templates):
    with templates.postgresql() as url, pgbouncer(url) as behind:
        yield behind


def test_a_service_behind_it_computes_asks_and_deletes(templates, tmp_path):
    with (
        templates.server.database() as url,  # empty: `serve` migrates it through PgBouncer
        pgbouncer(url) as behind,
        Server(tmp_path, RANKWARD_DATABASE_URL=behind, RANKWARD_DATABASE_POOLED="true") as server,
    ):
        client = server.client
        swept = {"run": BASIC, "sweep": [{"model.depth": [2, 3]}, {"seed": list(range(40))}]}
        experiment = client.wait(client.submit(swept)["id"])
        assert experiment["status"] == "succeeded"
        assert experiment["runs"]["succeeded"] == 80
        where = "model.depth = 3 AND summary.loss < 1e9 AND seed < 20"
        with ThreadPoolExecutor(8) as pool:  # more at once than there are sessions, of texts that are asked again
            found = pool.map(lambda _: len(list(client.runs(where=where, order_by="-summary.loss"))), range(60))
            assert set(found) == {20}
        assert len(client.summary(experiment["id"], group_by="model.depth")) == 2
        archive = tmp_path / "archive.parquet"
        client.archive(experiment["id"], archive)
        client.delete(experiment["id"])
        assert list(client.runs()) == []


def test_nothing_stays_in_a_session(pooled):
    pool = Pool(size=4, is_shared=True)
    database = Database(pooled, busy_seconds=7, pool=pool)

    def timeout(_):
        with database.writing() as connection:
            return connection.scalar(sa.text("SHOW lock_timeout"))

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(timeout, range(40))) == {"7s"}
    other = Database(pooled, busy_seconds=0, pool=pool)
    with other.reading() as connection:  # in the same sessions
        assert connection.scalar(sa.text("SELECT count(*) FROM pg_prepared_statements")) == 0
        assert connection.scalar(sa.text("SHOW lock_timeout")) == "0"
    other.close()
    database.close()


def test_points_are_copied_and_copied_again(pooled):
    database = Database(pooled, pool=Pool(is_shared=True))
    submit(database, ExperimentRequest(run=BASIC), Limits(), None)
    points = Points(
        np.zeros(3, dtype=int), {"step": np.arange(3), "time": np.arange(3.0), "loss": np.array([3.0, 2, 1])}
    )
    with database.reading() as connection:
        run_id = connection.scalar(sa.select(runs.c.id))
    for _ in range(SESSIONS + 1):  # the second time into a temporary table
        with database.writing() as connection:
            insert_points(connection, {0: run_id}, points)
    with database.reading() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM trajectory_points")) == 3
    database.close()


def test_the_setting_is_read(monkeypatch):
    monkeypatch.setenv("RANKWARD_DATABASE_POOLED", "true")
    monkeypatch.setenv("RANKWARD_DATABASE_CONNECTIONS", "3")
    assert Settings().pool == Pool(3, 10, is_shared=True)
