"""The column of seeds through its revision: what older schemas held stays, and what they cannot hold is not lost."""

import pytest
import sqlalchemy as sa
from alembic import command

from service.store.migrate import alembic_config, migrate
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC

LONG = 10**40 + 7


def seeds(database):
    with database.reading() as connection:
        return [
            int(seed)
            for seed in connection.execute(sa.text("SELECT seed FROM run_summary ORDER BY run_index")).scalars()
        ]


@BOTH_DATABASES
def test_seeds_go_down_and_up_unless_the_older_schema_cannot_hold_them(api, database):
    kept = [0, 2**53, 2**63 - 1]
    assert api.post("/v1/experiments", json={"run": BASIC, "sweep": [{"seed": kept}]}).status_code == 202
    config = alembic_config(database.url)
    command.downgrade(config, "0012")
    assert seeds(database) == kept
    migrate(database.url)
    assert seeds(database) == kept
    long = api.post("/v1/experiments", json={"run": BASIC | {"seed": LONG}})
    with pytest.raises(RuntimeError, match="seeds above"):
        command.downgrade(config, "0012")
    (run,) = api.get(f"/v1/runs?experiment_id={long.json()['id']}").json()["items"]
    assert run["spec"]["seed"] == str(LONG)
