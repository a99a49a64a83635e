"""Optuna looks for the edge of stability: the largest learning rate at which descent still converges.

Trials are runs. Each round asks the study for eight rates, submits them as one sweep, and tells it what came out.
Theory puts the edge at 2 / (L s^(2 - 2/L)), for depth L and largest singular value s (see the preset ghosh_2025).

Usage: RANKWARD_URL=http://127.0.0.1:8000 python examples/optuna_edge.py
"""

import os

import optuna
from rankward import Rankward

DEPTH, SINGULAR_VALUES = 3, (3, 2, 1)
EDGE = 2 / (DEPTH * SINGULAR_VALUES[0] ** (2 - 2 / DEPTH))
ENTRIES = [
    {"index": [row, column], "value": SINGULAR_VALUES[row] if row == column else 0}
    for row in range(3)
    for column in range(3)
]
RUN = {
    "problem": {"kind": "completion", "shape": [3, 3], "observations": ENTRIES},
    "model": {"kind": "deep_matrix", "depth": DEPTH},
    "init": {"kind": "identity", "scale": 0.3},
    "optimizer": {"kind": "gradient_descent"},
    "stop": {"max_steps": 20000, "loss_below": 1e-10},
    "record": {"points_per_decade": 10},
}
ROUNDS, TRIALS = 5, 8


def value(run: dict) -> float:
    """The rate where descent converged; a rate beyond the edge is worth nothing."""
    return run["spec"]["optimizer"]["learning_rate"] if run["outcome"] == "converged" else 0.0


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=1))
with Rankward(os.environ.get("RANKWARD_URL", "http://127.0.0.1:8000")) as rankward:
    for number in range(ROUNDS):
        trials = [study.ask() for _ in range(TRIALS)]
        rates = [trial.suggest_float("learning_rate", 0.05, 0.5) for trial in trials]
        sweep = [{"optimizer.learning_rate": rates}]
        posted = rankward.submit({"name": f"edge, round {number + 1}", "run": RUN, "sweep": sweep})
        rankward.wait(posted["id"])
        for trial, run in zip(trials, rankward.runs(posted["id"], order_by="index"), strict=True):
            trial.set_user_attr("run", run["id"])
            study.tell(trial, value(run))
        print(f"round {number + 1}: largest rate that converges {study.best_value:.4f}")
print(f"theory: {EDGE:.4f}; run {study.best_trial.user_attrs['run'][-8:]} came nearest")
