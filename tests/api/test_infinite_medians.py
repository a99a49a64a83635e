"""Of runs that went to infinity, figures and summaries say the same."""

import numpy as np
import pytest
import sqlalchemy as sa

from service.store.tables import runs, summaries, trajectory_points
from tests.api.figures import path_of, plotly, runs_of
from tests.helpers.specs import BASIC

DIVERGED = {2: 3, 3: 1}
"""How many of five runs went to infinity, by depth."""


@pytest.fixture
def experiment(finish, api, database):
    run = BASIC | {"stop": {"max_steps": 20}}
    experiment = finish({"run": run, "sweep": [{"model.depth": [2, 3]}, {"seed": [0, 1, 2, 3, 4]}]})
    for depth, count in DIVERGED.items():
        those = [run for run in runs_of(api, experiment) if run["spec"]["model"]["depth"] == depth][:count]
        ids = sa.select(runs.c.id).where(runs.c.public_id.in_([run["id"] for run in those]))
        with database.writing() as connection:
            for table in (summaries, trajectory_points):
                where = [table.c.run_id.in_(ids), *([table.c.step > 10] if table is trajectory_points else [])]
                connection.execute(sa.update(table).where(*where).values(loss=np.inf))
    return experiment


def medians_of(api, experiment):
    asked = {"metric": "loss", "group_by": "model.depth"}
    items = api.get(f"/v1/experiments/{experiment['id']}/summary", params=asked).json()["items"]
    return [item["median"] for item in items]


def test_the_heat_map_has_the_medians_of_the_summary(api, experiment):
    first, second = medians_of(api, experiment)
    losses = [run["summary"]["loss"] for run in runs_of(api, experiment) if run["spec"]["model"]["depth"] == 3]
    assert (first, second) == ("Infinity", sorted(map(float, losses))[2])
    cells = plotly(api, experiment, "sweep.json", x="model.depth", metric="loss")["data"][0]
    assert (cells["text"][0][0], cells["customdata"][0]) == ("∞", [None, second])


def test_compared_runs_have_the_medians_of_the_curves_and_a_gap_where_those_are_infinite(api, experiment):
    def curve(depth):
        asked = {"metric": "loss", "x": "step", "where": f"model.depth = {depth}"}
        return api.get(f"/v1/experiments/{experiment['id']}/curves", params=asked).json()["items"][0]["columns"]

    assert curve(2)["median"][-1] == "Infinity"
    figure = plotly(api, experiment, "compare.json", metric="loss", x="step")
    (line,) = (trace for trace in figure["data"] if "hovertemplate" in trace)
    together = api.get(f"/v1/experiments/{experiment['id']}/curves", params={"metric": "loss", "x": "step"}).json()
    columns = together["items"][0]["columns"]
    assert (line["x"][-1], line["y"][-1]) == (columns["step"][-1], columns["median"][-1])
    for format in ("png", "svg"):
        for name in ("sweep", "compare"):
            assert api.get(path_of(experiment, f"{name}.{format}")).status_code == 200
