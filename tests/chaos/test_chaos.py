"""Everything that runs is killed at random moments, and the numbers are those of a run that was left alone."""

import io
import time
from random import Random

import numpy as np
import pytest

from service.client.api import Rankward
from tests.chaos.deployment import Deployment
from tests.chaos.disturbances import DISTURBANCES
from tests.chaos.traffic import Traffic
from tests.helpers.postgresql import PostgreSQL
from tests.helpers.specs import BASIC, member, spec
from workers.records import Batch, Budget
from workers.slices import run_slice

STEPS = {"fused": 10_000_000, "torch": 20_000}
SEEDS = 100
SETTING = BASIC | {"init": BASIC["init"] | {"balanced": True}, "record": {"points_per_decade": 20}}


def sweep(number):
    """Two hundred runs, half on each engine; `number` makes them others."""
    axis = {"engine": list(STEPS), "stop.max_steps": list(STEPS.values())}
    seeds = list(range(number * SEEDS, (number + 1) * SEEDS))
    run = SETTING | {"stop": {"loss_below": 1e-30}}
    return {"name": f"sweep {number}", "run": run, "sweep": [axis, {"seed": seeds}]}


def quiet(number):
    """Trajectory and state of every run of a sweep, computed here in one go, by engine and seed."""
    for engine, steps in STEPS.items():
        seeds = range(number * SEEDS, (number + 1) * SEEDS)
        stop = {"max_steps": steps, "loss_below": 1e-30}
        members = tuple(member(spec(**SETTING | {"engine": engine, "stop": stop, "seed": seed})) for seed in seeds)
        result = run_slice(Batch(members), Budget(3600))
        for place, seed in enumerate(seeds):
            here = result.points.member == place
            columns = {name: column[here] for name, column in result.points.columns.items()}
            yield engine, seed, columns, result.progress[place].checkpoint.state


def check_sweep(client, http, experiment, number):
    runs = {(run["spec"]["engine"], run["spec"]["seed"]): run for run in client.runs(experiment["id"])}
    assert len(runs) == 2 * SEEDS
    for engine, seed, columns, state in quiet(number):
        run = runs[engine, seed]
        assert run["status"] == "succeeded", run
        stored = client.trajectory(run["id"])["columns"]
        assert stored["step"] == columns["step"].tolist(), "no point is missing and none is there twice"
        answer = http.get(f"/v1/runs/{run['id']}/factors").content
        factors = np.concatenate([factor.ravel() for factor in np.load(io.BytesIO(answer)).values()])
        same = np.testing.assert_array_equal if engine == "fused" else np.testing.assert_allclose
        same(factors, state[: len(factors)], **({} if engine == "fused" else {"rtol": 1e-6, "atol": 1e-9}))
        for name in ("loss", "unobserved_entry", "effective_rank", "singular_values"):
            rounding = {} if engine == "fused" else {"rtol": 1e-6, "atol": 1e-9}
            same(np.array(stored[name], dtype=float), columns[name], err_msg=name, **rounding)


def check_traffic(client, http, traffic):
    assert traffic.wrong == []
    there = http.get("/v1/experiments?limit=1000").json()["items"]
    small = [one for one in there if not one["name"].startswith("sweep")]
    assert len(small) == len(traffic.submitted), "none is lost and none is there twice"
    for identifier in traffic.submitted.values():
        ended = client.wait(identifier)
        if identifier in traffic.cancelled:
            assert ended["status"] in ("cancelled", "succeeded")
        else:
            assert ended["status"] == "succeeded"


def disturb(deployment, order, random):
    """Disturb a deployment while it works; the sweeps it was given."""
    experiments = []
    with Rankward(deployment.url) as client:
        traffic = Traffic(deployment.url)
        traffic.start()
        for disturbance in order:
            deployment.until(deployment.is_ready)
            if not experiments or client.experiment(experiments[-1]["id"])["status"] not in ("queued", "running"):
                experiments.append(client.submit(sweep(len(experiments))))
            deployment.until(lambda: any(run["step"] for run in client.runs(experiments[-1]["id"])))
            time.sleep(random.uniform(0, 1))
            disturbance(deployment, random)
        deployment.until(deployment.is_ready)
        traffic.finish()
        for number, experiment in enumerate(experiments):
            assert client.wait(experiment["id"])["runs"]["succeeded"] == 2 * SEEDS, deployment.log()
            check_sweep(client, deployment.http, experiment, number)
        check_traffic(client, deployment.http, traffic)


@pytest.mark.timeout(900)
def test_every_disturbance_once_on_postgresql(tmp_path):
    random = Random(1)
    order = random.sample(DISTURBANCES, len(DISTURBANCES))
    with PostgreSQL() as server, Deployment(tmp_path, server) as deployment:
        disturb(deployment, order, random)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_many_disturbances(tmp_path, database, seed):
    random = Random(seed)
    order = [random.choice(DISTURBANCES) for _ in range(24)]
    if database == "sqlite":
        with Deployment(tmp_path, None) as deployment:
            disturb(deployment, order, random)
    else:
        with PostgreSQL() as server, Deployment(tmp_path, server) as deployment:
            disturb(deployment, order, random)
