"""How examples are run: with the server and the command line of this checkout."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMALL = {
    "name": "small",
    "tags": {"paper": "2005.06398"},
    "run": {
        "problem": {"kind": "perturbed_2x2"},
        "model": {"kind": "deep_matrix"},
        "init": {"kind": "gaussian", "std": 1e-3, "std_of": "product", "balanced": True, "determinant": "positive"},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-2},
        "stop": {"max_steps": 5000, "loss_below": 1e-3},
    },
    "sweep": [{"model.depth": [2, 3]}, {"seed": [0, 1]}],
}


def said(command, environment, folder):
    ended = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout
