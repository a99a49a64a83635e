"""Specs whose runs have every field between them, every field by name, and how queries see a value."""

from datetime import datetime

from service.queries.catalogues import EXPERIMENTS, RUNS, Catalogue, spell_path
from service.queries.fields import Kind
from service.settings import Limits
from service.store.spec_columns import NAMED_COLUMNS
from service.use_cases.run_objects import look_up
from tests.helpers.losses import fitted
from tests.helpers.specs import BASIC, FLOW
from workers.runs.metrics import ON_REQUEST
from workers.runs.models import MODELS

LIMITS = Limits(max_named_fields=1000)

_LOW_RANK = {"kind": "low_rank_completion", "shape": [3, 3], "rank": 1, "observed": 5, "noise": 0.1, "held_out": 2}
_OF_OTHERS = ("matricisation", "margin", "local", "cut", "gain")
"""Of tensors, of labels, of trees and of diagonal networks."""
_ASKED = [name for name in ON_REQUEST if not name.startswith(_OF_OTHERS)]
_MATRIX = BASIC | {"problem": _LOW_RANK, "record": {"metrics": _ASKED, "entries": [[0, 1]]}}
_LISTED = {"kind": "completion", "shape": [2, 2], "observations": [{"index": [0, 1], "value": 2.0}]}
_TENSOR = BASIC | {
    "problem": _LOW_RANK | {"shape": [3, 3, 3], "observed": 9},
    "model": {"kind": "cp_tensor", "rank": 2},
    "init": {"kind": "gaussian", "std": 0.1},
    "optimizer": {"kind": "momentum", "learning_rate": 1e-2, "beta": 0.5},
    "record": {"metrics": ["matricisation_ranks", "matricisation_effective_ranks"], "every": 5},
}
_TREE = _TENSOR | {
    "model": {"kind": "hierarchical_tensor", "widths": [2, 2]},
    "record": {"metrics": ["local_component_norms", "cut_ranks", "cut_singular_values"], "every": 5},
}
_DIAGONAL = BASIC | {
    "problem": {"kind": "random_regression", "samples": 3, "dimension": 4, "outputs": 1},
    "model": {"kind": "diagonal", "depth": 2, "form": "product"},
    "init": {"kind": "gaussian", "std": 0.5},
    "record": {"metrics": ["gain"]},
}
_SYMMETRIC = BASIC | {
    "model": {"kind": "symmetric_matrix", "rank": 2},
    "init": {"kind": "explicit", "factors": [[[1.0, 0.0], [0.5, 1.0]]]},
    "stop": {"max_steps": 100, "loss_below": 1e-4, "check_every": 10, "checks_in_a_row": 3},
}
_BALANCED = BASIC | {"problem": _LISTED, "init": {"kind": "gaussian", "std": 0.1, "balanced": True}, "loss": "mse"}
_POSTED_BESIDE = {"init": BASIC["init"], "stop": {"max_time": 2.0, "loss_below": 0.5}, "optimizer": BASIC["optimizer"]}
_BASELINE = BASIC | {"model": {"kind": "nuclear_norm"}} | _POSTED_BESIDE
_POTENTIAL = BASIC | {"model": {"kind": "least_q", "alpha": 0.1}} | _POSTED_BESIDE
_GREEDY = BASIC | {"model": {"kind": "greedy_low_rank", "loss_below": 0.5}} | _POSTED_BESIDE
_IMPUTED = BASIC | {"model": {"kind": "soft_impute", "penalty": 0.1}} | _POSTED_BESIDE
_LABELLED = BASIC | fitted({"kind": "logistic"}, _LISTED) | {"record": {"metrics": ["margin"]}}
_HUBER = BASIC | {"problem": _LISTED, "loss": {"kind": "huber", "delta": 0.5}}
_REGRESSION = BASIC | {
    "problem": {"kind": "random_regression", "samples": 4, "dimension": 3, "sparsity": 2, "held_out": 2},
    "init": {"kind": "gaussian", "std": [0.1, 0.2, 0.3]},
}
_DECAYING = BASIC | {
    "optimizer": {
        "kind": "gradient_descent",
        "learning_rate": {"kind": "cosine", "from": 0.1, "to": 0.01, "steps": 10},
        "weight_decay": 0.1,
    }
}
_DISTURBED = BASIC | {
    "optimizer": {**BASIC["optimizer"], "batch": {"size": 2}, "noise": {"kind": "label", "std": 0.1}},
}
_LAMBDA = BASIC | {"init": {"kind": "lambda_balanced", "lambda": 0.5, "std": 0.1}}
_CONTRACTION = BASIC | {
    "model": {
        "kind": "contraction",
        "factors": {"u": [2], "v": [2]},
        "terms": [{"of": ["u", "v"], "einsum": "i,j->ij"}, {"of": ["w"], "einsum": "ij->ij", "sign": -1}],
        "constants": {"w": [[1.0, 0.5], [0.0, 2.0]]},
    },
    "init": {"kind": "explicit", "factors": {"u": [0.1, 0.2], "v": [1.0, -1.0]}},
}
_PHASED = BASIC | {"phases": [{"problem": {"z": 2.0}, "stop": {"max_steps": 9}}]}
SPECS = (
    *(BASIC, _MATRIX, _REGRESSION, _LAMBDA, _DECAYING, _TENSOR, _SYMMETRIC, _BALANCED, _BASELINE, _LABELLED, _HUBER),
    *(_DISTURBED, _CONTRACTION, _CONTRACTION | {"init": {"kind": "constant", "value": 0.5}}),
    *(_TREE, _DIAGONAL, _POTENTIAL, _GREEDY, _IMPUTED),
    *(_PHASED, FLOW, FLOW | {"stop": {"max_time": 7.0}}),
)

SAMPLES = {"tags": "paper", "first_step_below": "1e-1", "factors": "u", "constants": "w"}
"""A key of each object whose keys are not fixed."""


def paths_of(catalogue: Catalogue):
    """Every path with a fixed name, one key of each object that has none, and the first entries of lists."""
    for path, node in catalogue.nodes():
        yield path
        if (key := SAMPLES.get(path[-1])) is not None and node.below(key) is not None:
            yield (*path, key)
        while (node := node.below(0)) is not None and len(path) < 6:
            path = (*path, 0)
            yield path
            yield from ((*path, name) for name in node.names())


RUN_FIELDS = [spell_path(path) for path in paths_of(RUNS)]
EXPERIMENT_FIELDS = [spell_path(path) for path in paths_of(EXPERIMENTS)]


def queried(item, field):
    """A field's value as queries see it: None where there is none, or one that is not a number."""
    column = NAMED_COLUMNS.get(spell_path(field.path[1:])) if field.path[0] == "spec" else None
    if column and column.of_training and not MODELS[item["spec"]["model"]["kind"]].is_trained:
        return "none" if column.is_required else None
    _, value = look_up(item, field.path)
    if column and column.path == "loss" and isinstance(value, dict):
        return value["kind"]
    if value in ("Infinity", "-Infinity") and field.kind is Kind.NUMBER:
        return float(value)
    return None if value == "NaN" or (field.path == ("summary",) and value == {}) else value


def kind_of(value):
    kinds = {bool: Kind.BOOLEAN, int: Kind.NUMBER, float: Kind.NUMBER, str: Kind.TEXT, datetime: Kind.TIME}
    return kinds.get(type(value))
