"""joblib asks for many small experiments at once, from threads, and for each of them once only.

The work is done by the service; the threads of this program wait. The hash of a spec is the key of its submission, so
that a second start of this script computes nothing.

Usage: RANKWARD_URL=http://127.0.0.1:8000 python examples/joblib_sweep.py
"""

import os

import joblib
from rankward import Rankward

RUN = {
    "problem": {"kind": "perturbed_2x2"},
    "model": {"kind": "deep_matrix"},
    "init": {"kind": "gaussian", "std": 1e-3, "std_of": "product", "balanced": True, "determinant": "positive"},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-2},
    "stop": {"max_steps": 5000, "loss_below": 1e-3},
}


def least_effective_rank(rankward: Rankward, depth: int, seed: int) -> tuple[int, int, float]:
    """Depth, seed and the effective rank at which a run ends."""
    experiment = {"name": "from joblib", "run": {**RUN, "model": {"kind": "deep_matrix", "depth": depth}, "seed": seed}}
    done = rankward.wait(rankward.submit(experiment, key=joblib.hash(experiment))["id"])
    (run,) = rankward.runs(done["id"])
    return depth, seed, run["summary"]["effective_rank"]


with Rankward(os.environ.get("RANKWARD_URL", "http://127.0.0.1:8000")) as rankward:
    jobs = [joblib.delayed(least_effective_rank)(rankward, depth, seed) for depth in (2, 3) for seed in range(3)]
    for depth, seed, rank in joblib.Parallel(n_jobs=4, prefer="threads")(jobs):
        print(f"depth {depth}, seed {seed}: effective rank {rank:.4f}")
