"""Payloads that are right but for what a test changes."""

import copy
from typing import Any

from tests.helpers.specs import BASIC

Cases = dict[str, tuple[dict[str, Any], str, str]]
"""Payload, JSON pointer of its first mistake, and some words of the sentence, by what is wrong."""


def changed(path, value):
    run = copy.deepcopy(BASIC)
    *parents, last = path.split(".")
    here = run
    for parent in parents:
        here = here[parent]
    here[last] = value
    return {"run": run}


def completion(*observations, shape=(2, 3), **fields):
    run = copy.deepcopy(BASIC)
    run["problem"] = {"kind": "completion", "shape": list(shape), "observations": list(observations), **fields}
    run["init"] = {"kind": "identity", "scale": 1.0}
    return {"run": run}


def observed(*index, value=1.0):
    return {"index": list(index), "value": value}


def tensor(problem=None, **parts):
    fields = {"kind": "low_rank_completion", "shape": [3, 3, 3], "rank": 1, "observed": 9, **(problem or {})}
    run = {**copy.deepcopy(BASIC), "problem": fields, "model": {"kind": "cp_tensor"}, "engine": "auto"}
    return {"run": {**run, "init": {"kind": "gaussian", "std": 0.1}, **parts}}


def completion_by(model):
    return {"run": completion(observed(0, 1))["run"] | {"model": model}}


def baseline(model, **parts):
    return {"run": BASIC | {"model": {"kind": model} if isinstance(model, str) else model} | parts}


NEGATIVE = {"kind": "gaussian", "std": 0.1, "determinant": "negative"}
SQUARE = [[1.0, 0.0], [0.0, 1.0]]
RECTANGLE = {"kind": "low_rank_completion", "shape": [3, 4], "rank": 1}
