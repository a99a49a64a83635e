"""Post a sweep, wait for it under a progress bar, and lay its curves side by side.

Usage: RANKWARD_URL=http://127.0.0.1:8000 python examples/sweep.py
"""

import os

from rankward import Rankward

EXPERIMENT = {
    "name": "depth and rank",
    "tags": {"example": "sweep.py"},
    "run": {
        "problem": {"kind": "perturbed_2x2"},
        "model": {"kind": "deep_matrix"},
        "init": {"kind": "gaussian", "std": 1e-3, "std_of": "product", "balanced": True, "determinant": "positive"},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-2},
        "stop": {"max_steps": 5000, "loss_below": 1e-3},
    },
    "sweep": [{"model.depth": [2, 3]}, {"seed": [0, 1, 2]}],
}

with Rankward(os.environ.get("RANKWARD_URL", "http://127.0.0.1:8000")) as rankward:
    experiment = rankward.wait(rankward.submit(EXPERIMENT)["id"], progress=True)
    for group in rankward.summary(experiment["id"], "unobserved_entry", group_by="model.depth"):
        print(group["group"], "median of the unobserved entry:", group["median"])
    points = rankward.trajectories(
        where="tags.example = 'sweep.py'", metrics=["loss", "effective_rank"], max_points=200
    )
    print(points.to_pandas().groupby("run_id").last())
