"""A batch that kills its worker process is halved until the guilty run is alone; it fails, the others finish."""

from service.dispatch.cluster import LocalDaskCluster
from tests.chaos.guilty import GUILTY_SEED, run_slice_or_die
from tests.helpers.specs import BASIC


class DeadlyCluster(LocalDaskCluster):
    def submit(self, batch, budget):
        return self._executor.submit(run_slice_or_die, batch, budget)


def test_the_guilty_run_fails_with_a_message_and_the_others_finish(api, dispatcher, settings):
    sweep = {"run": BASIC | {"stop": {"max_steps": 100}}, "sweep": [{"seed": [1, GUILTY_SEED]}]}
    posted = api.post("/v1/experiments", json=sweep).headers["location"]
    cluster = DeadlyCluster(1)
    dispatcher.cluster, dispatcher.settings = (
        cluster,
        settings.model_copy(update={"poll_seconds": 0.1, "most_attempts": 1}),
    )
    while api.get(posted).json()["status"] in ("queued", "running"):
        dispatcher.tick()
    cluster.close()
    runs = api.get("/v1/runs").json()["items"]
    assert [run["status"] for run in runs] == ["succeeded", "failed"]
    assert "died" in runs[1]["error"]
