"""The status of an experiment: the database's answer and Python's, for all run counts."""

from datetime import UTC, datetime
from itertools import product

import pytest
import sqlalchemy as sa

from service.store.experiments import insert_experiment, insert_runs
from service.store.fields import EXPERIMENT_HOME
from service.store.run_rows import new_run
from service.store.tables import experiments
from service.values.statuses import ENDED, RUN_STATUSES, UNFINISHED, status_of
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import spec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COUNTS = [counts for counts in product(range(3), repeat=len(RUN_STATUSES)) if any(counts)]


@BOTH_DATABASES
def test_the_database_and_python_agree(database):
    row = new_run(spec(), 0, NOW)
    with database.writing() as connection:
        for counts in COUNTS:
            name = " ".join(map(str, counts))
            values = {"public_id": name, "name": "", "tags": {}, "run": {}, "sweep": [], "created_at": NOW}
            statuses = [status for status, count in zip(RUN_STATUSES, counts, strict=True) for _ in range(count)]
            rows = [
                {**row, "public_id": f"{name} {index}", "index": index, "status": status}
                for index, status in enumerate(statuses)
            ]
            insert_runs(connection, insert_experiment(connection, {**values, "body_digest": ""}), rows)
        answers = connection.execute(sa.select(experiments.c.public_id, EXPERIMENT_HOME.columns[("status",)])).all()
    expected = {
        " ".join(map(str, counts)): status_of(dict(zip(RUN_STATUSES, counts, strict=True))) for counts in COUNTS
    }
    assert dict(map(tuple, answers)) == expected


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["queued"], "queued"),
        (["queued", "succeeded"], "running"),
        (["queued", "cancelled"], "running"),
        (["running", "failed"], "running"),
        (["succeeded", "failed", "cancelled"], "failed"),
        (["succeeded", "cancelled"], "cancelled"),
        (["succeeded"], "succeeded"),
    ],
)
def test_the_worst_of_the_runs_counts_once_all_are_over(statuses, expected):
    assert status_of({status: statuses.count(status) for status in RUN_STATUSES}) == expected


def test_every_status_is_one_of_a_run_that_is_over_or_not():
    assert {*UNFINISHED, *ENDED} == {*RUN_STATUSES}
