"""Contractions that several files run: a chain, a square, components, and the tree of the field's reference checks."""

from typing import Any

from workers.runs.spec import RunSpec

CHAIN: dict[str, Any] = {
    "kind": "contraction",
    "factors": {"a": [3, 2], "b": [2, 4], "c": [4, 2]},
    "terms": [{"of": ["a", "b", "c"], "einsum": "ij,jk,kl->il"}],
}
SQUARE: dict[str, Any] = {
    "kind": "contraction",
    "factors": {"u": [3, 3]},
    "terms": [{"of": ["u", "u"], "einsum": "ir,jr->ij"}],
}
COMPONENTS: dict[str, Any] = {
    "kind": "contraction",
    "factors": {"f1": [3, 4], "f2": [2, 4], "f3": [4, 4]},
    "terms": [{"of": ["f1", "f2", "f3"], "einsum": "ir,jr,kr->ijk"}],
}
BASE = [[1.0, 2.0, 0.0], [0.5, -1.0, 3.0]]
"""Of an offset."""

TREE = {
    "kind": "contraction",
    "factors": {"f1": [2, 2], "f2": [2, 2], "a": [2, 2], "f3": [2, 2], "f4": [2, 2], "b": [2, 2], "o": [2]},
    "terms": [{"of": ["f1", "f2", "a", "f3", "f4", "b", "o"], "einsum": "ir,jr,rs,kt,lt,ts,s->ijkl"}],
}
TREE_FACTORS = {
    "f1": [[1, 2], [3, 4]],
    "f2": [[1, 0], [2, 1]],
    "f3": [[1, 1], [0, 2]],
    "f4": [[2, 1], [1, 1]],
    "a": [[1, 2], [0, 1]],
    "b": [[1, 0], [1, 1]],
    "o": [1, -1],
}
TREE_PRODUCT = [1, 0, -2, -2, 0, -2, -8, -8, 3, 0, -6, -6, 2, -4, -20, -20]
"""Of a hierarchical tensor factorisation with the tree {12}{34}, computed with numpy."""


def spec(**parts: Any) -> RunSpec:
    """A short run of a contraction: its model and problem are among the parts."""
    run = {"init": {"kind": "gaussian", "std": 0.3}, "optimizer": {"kind": "gradient_descent", "learning_rate": 0.05}}
    run |= {"stop": {"max_steps": 60}, "record": {"every": 20}}
    return RunSpec.model_validate(run | parts)


def low_rank(shape: list[int], observed: int) -> dict[str, Any]:
    """A random problem of rank 1 that shows some entries."""
    return {"kind": "low_rank_completion", "shape": shape, "rank": 1, "observed": observed}


FLOW = {"optimizer": {"kind": "gradient_flow"}, "stop": {"max_time": 2.0}, "record": {"points_per_decade": 3}}
