"""Experiments to draw, and figures as they are answered."""

import numpy as np
import plotly.graph_objects as go

from tests.helpers.specs import BASIC

OF_VECTORS = ("singular_vector_alignment", "layer_singular_values", "layer_alignment", "hessian_eigenvalues")
"""Of metrics on request."""

MATRICES = {
    "name": "matrices",
    "run": BASIC
    | {"stop": {"max_steps": 300}, "init": BASIC["init"] | {"balanced": True}}
    | {"record": {"metrics": list(OF_VECTORS)}},
    "sweep": [{"model.depth": [2, 3]}, {"optimizer.learning_rate": [1e-2, 3e-2]}, {"seed": [0, 1]}],
}
OF_MATRICES = ("unobserved_entry", "metrics", "singular_values", "sweep", "compare", *OF_VECTORS)
OF_TENSORS = ("observations", "component_norms", "metrics", "sweep", "compare")


def path_of(experiment, file):
    return f"/v1/experiments/{experiment['id']}/figures/{file}"


def plotly(api, experiment, file, **parameters):
    """A figure as JSON, held to Plotly's schema."""
    answer = api.get(path_of(experiment, file), params=parameters)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    go.Figure(found)
    return found


def traces_about(figure, run, panel=""):
    return [
        trace
        for trace in figure["data"]
        if run["id"] in str(trace.get("text", "")) and trace["xaxis"] == f"x{panel}" and trace["mode"] == "lines"
    ]


def runs_of(api, experiment):
    return api.get("/v1/runs", params={"experiment_id": experiment["id"]}).json()["items"]


def columns_of(api, run):
    columns = api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]
    return {name: np.array(column, dtype=float) for name, column in columns.items()}
