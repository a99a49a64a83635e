"""Space comes back by itself after a deletion, in pieces between which others write."""

import sqlite3
import time
from datetime import UTC, datetime

import numpy as np
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from service.cli.main import app
from service.dispatch.housekeeping import Housekeeper, keeping_house
from service.dispatch.membership import Membership
from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store import expiry, table_statistics
from service.store.database import Database
from service.store.migrate import migrate
from service.store.point_writes import insert_points
from service.store.space import CannotCompact, compact, make_shrinkable
from service.store.table_statistics import TableStatistics
from service.store.tables import experiments, runs, trajectory_points
from service.use_cases.experiments import delete
from service.use_cases.submissions import submit
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC
from workers.results import Points

RUNS, POINTS = 10, 12_000


def fill(database, points=POINTS):
    """An experiment of some runs with many points each; returns its id."""
    request = ExperimentRequest(run=BASIC, sweep=[{"seed": list(range(RUNS))}])
    experiment = submit(database, request, Limits(), None).experiment
    with database.writing() as connection:
        ids = dict(enumerate(connection.scalars(sa.select(runs.c.id).order_by(runs.c.id))))
    for run, internal in ids.items():
        step = np.arange(points)
        columns = {"step": step, "time": step / 10, "loss": np.random.default_rng(run).random(points)}
        with database.writing() as connection:
            insert_points(connection, {0: internal}, Points(np.zeros(points, dtype=np.int64), columns))
    return experiment.id


def bytes_of(folder):
    return sum(path.stat().st_size for path in folder.glob("rankward.db*"))


def count(database, table):
    with database.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table))


def joined(database):
    membership = Membership(database, "keeper", 60)
    assert membership.try_to_join()
    return membership


def keep_house(database):
    """Work until nothing is left; returns the number of pieces."""
    keeper, pieces = Housekeeper(database, joined(database)), 0
    while keeper.do_piece():
        pieces += 1
    return pieces


def test_the_file_shrinks_after_a_deletion(database, tmp_path, monkeypatch):
    monkeypatch.setattr("service.store.space.PAGES_AT_ONCE", 100)
    keep_house(database)
    empty = bytes_of(tmp_path)
    experiment_id = fill(database)
    full = bytes_of(tmp_path)
    delete(database, experiment_id)
    assert 5 < keep_house(database) < 50
    assert bytes_of(tmp_path) < empty + 3 * 2**20 < full - 4 * 2**20
    assert count(database, trajectory_points) == 0


def test_a_thread_keeps_house_and_lets_others_write(database, tmp_path):
    experiment_id = fill(database)
    full = bytes_of(tmp_path)
    with keeping_house(database, joined(database)):
        delete(database, experiment_id)
        deadline = time.monotonic() + 60
        while bytes_of(tmp_path) > full / 2:
            assert time.monotonic() < deadline
            submit(database, ExperimentRequest(run=BASIC), Limits(), None)
            time.sleep(0.1)
    assert count(database, experiments) > 0


def test_statistics_follow_the_growth_of_the_runs(database, settings, monkeypatch):
    monkeypatch.setattr(table_statistics, "FEWEST_RUNS", 100)
    statistics, other = TableStatistics(database), Database(settings.url)
    submit(database, ExperimentRequest(run=BASIC), Limits(), None)
    assert not statistics.renew(database.writing)
    for expected in (100, 250):
        with database.reading() as connection:
            missing = expected - connection.scalar(sa.select(sa.func.count()).select_from(runs))
        seeds = list(range(missing))
        submit(database, ExperimentRequest.model_validate({"run": BASIC, "sweep": [{"seed": seeds}]}), Limits(), None)
        schema = schema_version(other)
        assert statistics.renew(database.writing)
        assert not statistics.renew(database.writing)
        with database.reading() as connection:
            known = connection.exec_driver_sql("SELECT stat FROM sqlite_stat1 WHERE tbl = 'runs'").scalars().all()
        assert {int(stat.split()[0]) for stat in known} == {expected}
        assert schema_version(other) > schema  # so that connections that are open take notice
    other.close()


def schema_version(database):
    with database.reading() as connection:
        return connection.exec_driver_sql("PRAGMA schema_version").scalar_one()


@BOTH_DATABASES
def test_statistics_disturb_nothing(database, monkeypatch):
    monkeypatch.setattr(table_statistics, "FEWEST_RUNS", 1)
    submit(database, ExperimentRequest(run=BASIC), Limits(), None)
    keep_house(database)
    assert count(database, runs) == 1


@BOTH_DATABASES
def test_pieces_are_small_and_what_is_deleted_is_gone_at_once(database, monkeypatch):
    monkeypatch.setattr(expiry, "MOST_POINTS", 50)
    experiment_id, kept = fill(database, 120), fill(database, 1)
    with database.writing() as connection:
        assert expiry.expire(connection, experiment_id, datetime.now(UTC))
        assert not expiry.expire(connection, experiment_id, datetime.now(UTC))
    before = count(database, trajectory_points)
    while True:
        with database.writing() as connection:
            if not expiry.remove_piece(connection, datetime.now(UTC)):
                break
        now = count(database, trajectory_points)
        assert 0 <= before - now <= 50
        before = now
    assert (count(database, runs), count(database, experiments)) == (RUNS, 1)
    with database.reading() as connection:
        assert connection.scalar(sa.select(experiments.c.public_id)) == kept


def test_runs_with_much_in_them_are_removed_a_few_at_a_time(database, monkeypatch):
    monkeypatch.setattr(expiry, "MOST_NUMBERS", 100)
    experiment_id = fill(database, 1)
    with database.writing() as connection:
        connection.execute(sa.update(runs).values(numbers=49))
        expiry.expire(connection, experiment_id, datetime.now(UTC))
    left = [RUNS]
    while left[-1]:
        with database.writing() as connection:
            expiry.remove_piece(connection, datetime.now(UTC))
        left.append(count(database, runs))
    assert left == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0] or left == [10, 8, 6, 4, 2, 0]


@pytest.fixture
def old_file(tmp_path):
    """A database file that was made when files did not shrink."""
    path = tmp_path / "rankward.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE first (id)")
        connection.execute("DROP TABLE first")
    connection.close()
    migrate(f"sqlite:///{path}")
    return path


def auto_vacuum(path):
    with sqlite3.connect(path) as connection:
        return connection.execute("PRAGMA auto_vacuum").fetchone()[0]


def test_an_older_file_is_rewritten_once(old_file, tmp_path, monkeypatch):
    assert auto_vacuum(old_file) == 0
    monkeypatch.setattr("service.store.space.MOST_BYTES_AT_START", 0)
    make_shrinkable(f"sqlite:///{old_file}")
    assert auto_vacuum(old_file) == 0
    monkeypatch.undo()
    make_shrinkable(f"sqlite:///{old_file}")
    assert auto_vacuum(old_file) == 2
    database = Database(f"sqlite:///{old_file}")
    test_the_file_shrinks_after_a_deletion(database, tmp_path, monkeypatch)
    database.close()


def test_a_command_rewrites_a_file_and_refuses_what_it_cannot(old_file, tmp_path, monkeypatch):
    ended = CliRunner().invoke(app, ["compact", "--data-dir", str(tmp_path)])
    assert ended.exit_code == 0
    assert "bytes before" in ended.output
    assert auto_vacuum(old_file) == 2
    with pytest.raises(CannotCompact, match="PostgreSQL"):
        compact("postgresql://nobody@nowhere/none")
    monkeypatch.setattr("service.store.space.ROOM_TO_REWRITE", 1e12)
    with pytest.raises(CannotCompact, match="MB are needed"):
        compact(f"sqlite:///{old_file}")
