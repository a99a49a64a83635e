"""Wrong optimisers, stops, records, engines, precisions and seeds."""

from typing import Any

from tests.api.wrong_payloads.payloads import Cases, changed, tensor
from tests.helpers.specs import BASIC, FLOW


def rate(kind: str, **fields: Any) -> dict[str, Any]:
    """A payload with a schedule."""
    return changed("optimizer.learning_rate", {"kind": kind, **fields})


CASES: Cases = {
    "truth for a number": (changed("seed", True), "/run/seed", "integer"),
    "checks without a limit": (changed("stop", {"max_steps": 9, "checks_in_a_row": 3}), "/run/stop/loss_below", "give"),
    "checks that the fused engine has not": (
        {"run": {**BASIC, "engine": "fused", "stop": {"max_steps": 9, "loss_below": 0.1, "check_every": 100}}},
        "/run/engine",
        "first step below the limit",
    ),
    "negative learning rate": (
        changed("optimizer.learning_rate", -0.1),
        "/run/optimizer/learning_rate",
        "greater than 0",
    ),
    "infinite learning rate": (
        changed("optimizer.learning_rate", float("inf")),
        "/run/optimizer/learning_rate",
        "finite",
    ),
    "negative decay": (changed("optimizer.weight_decay", -0.1), "/run/optimizer/weight_decay", "equal to 0"),
    "an unknown decay": (changed("optimizer.decay", "late"), "/run/optimizer/decay", "coupled"),
    "a text for a rate": (changed("optimizer.learning_rate", "0.1"), "/run/optimizer/learning_rate", "number"),
    "a schedule without a kind": (changed("optimizer.learning_rate", {}), "/run/optimizer/learning_rate/kind", "kind"),
    "an unknown schedule": (
        changed("optimizer.learning_rate", {"kind": "plateau"}),
        "/run/optimizer/learning_rate/kind",
        "cosine",
    ),
    "no values": (rate("piecewise", values=[], steps=[]), "/run/optimizer/learning_rate/values", "at least 1"),
    "steps that do not increase": (
        rate("piecewise", values=[1.0, 2.0, 3.0], steps=[5, 5]),
        "/run/optimizer/learning_rate/steps/1",
        "increase",
    ),
    "too few steps": (
        rate("piecewise", values=[1.0, 2.0, 3.0], steps=[5]),
        "/run/optimizer/learning_rate/steps",
        "2 steps",
    ),
    "too many steps of a schedule": (
        rate("piecewise", values=[1.0], steps=[5]),
        "/run/optimizer/learning_rate/steps",
        "0 steps",
    ),
    "a negative rate": (
        rate("piecewise", values=[1.0, -2.0], steps=[5]),
        "/run/optimizer/learning_rate/values/1",
        "equal to 0",
    ),
    "a cosine without steps": (
        rate("cosine", **{"from": 1.0, "to": 0.0}),
        "/run/optimizer/learning_rate/steps",
        "required",
    ),
    "a cosine from below": (
        rate("cosine", **{"from": -1.0, "to": 0.0, "steps": 3}),
        "/run/optimizer/learning_rate/from",
        "equal to 0",
    ),
    "a factor that grows": (
        rate("geometric", initial=1.0, factor=1.1),
        "/run/optimizer/learning_rate/factor",
        "less than or equal to 1",
    ),
    "a cap of zero": (rate("polyak", most=0.0), "/run/optimizer/learning_rate/most", "greater than 0"),
    "a batch of more samples than there are": (
        changed("optimizer.batch", {"size": 4}),
        "/run/optimizer/batch/size",
        "3 samples",
    ),
    "an empty batch": (changed("optimizer.batch", {"size": 0}), "/run/optimizer/batch/size", "greater than"),
    "negative noise": (
        changed("optimizer.noise", {"kind": "label", "std": -1.0}),
        "/run/optimizer/noise/std",
        "equal to 0",
    ),
    "noise of an unknown distribution": (
        changed("optimizer.noise", {"kind": "label", "std": 1.0, "distribution": "cauchy"}),
        "/run/optimizer/noise/distribution",
        "rademacher",
    ),
    "noise on labels of 1 and -1": (
        {
            "run": BASIC
            | {
                "problem": {"kind": "completion", "shape": [2, 2], "observations": [{"index": [0, 1], "value": 1.0}]},
                "loss": "logistic",
                "optimizer": BASIC["optimizer"] | {"noise": {"kind": "label", "std": 0.1}},
            }
        },
        "/run/optimizer/noise/kind",
        "gradient",
    ),
    "Polyak's rate with batches": (
        {
            "run": BASIC
            | {"optimizer": BASIC["optimizer"] | {"learning_rate": {"kind": "polyak"}, "batch": {"size": 1}}}
        },
        "/run/optimizer/learning_rate",
        "another schedule",
    ),
    "noise of a flow": (
        {"run": FLOW | {"optimizer": {"kind": "gradient_flow", "noise": {"kind": "gradient", "std": 0.1}}}},
        "/run/optimizer/noise",
        "Unknown field",
    ),
    "more draws than the fused engine reads": (
        {
            "run": BASIC
            | {
                "problem": {"kind": "low_rank_completion", "shape": [190, 190], "rank": 1, "observed": 9},
                "engine": "fused",
                "optimizer": BASIC["optimizer"] | {"batch": {"size": 1}},
            }
        },
        "/run/engine",
        "batches and noise",
    ),
    "a rate of a flow": (
        {"run": FLOW | {"optimizer": {"kind": "gradient_flow", "learning_rate": 0.1}}},
        "/run/optimizer/learning_rate",
        "Unknown",
    ),
    "rates of too few factors": (
        changed("optimizer.learning_rate_factors", [1.0, 2.0]),
        "/run/optimizer/learning_rate_factors",
        "has 3",
    ),
    "a factor's rate of zero": (
        changed("optimizer.learning_rate_factors", [1.0, 0.0, 1.0]),
        "/run/optimizer/learning_rate_factors/1",
        "greater than 0",
    ),
    "no rates of factors": (
        changed("optimizer.learning_rate_factors", []),
        "/run/optimizer/learning_rate_factors",
        "at least 1",
    ),
    "a frozen factor that is not there": (
        changed("optimizer.frozen", [0, 3]),
        "/run/optimizer/frozen/1",
        "counted from 0",
    ),
    "a factor frozen twice": (changed("optimizer.frozen", [1, 1]), "/run/optimizer/frozen/1", "once"),
    "all factors frozen": (changed("optimizer.frozen", [2, 0, 1]), "/run/optimizer/frozen", "leave at least one out"),
    "none frozen": (changed("optimizer.frozen", []), "/run/optimizer/frozen", "at least 1"),
    "missing part": (changed("stop", {}), "/run/stop/max_steps", "required"),
    "steps of a flow": (
        {"run": FLOW | {"stop": {"max_time": 1, "max_steps": 3}}},
        "/run/stop/max_steps",
        "give max_time",
    ),
    "a flow without an end": ({"run": FLOW | {"stop": {}}}, "/run/stop/max_time", "required"),
    "time of a descent": (changed("stop", {"max_steps": 3, "max_time": 1.0}), "/run/stop/max_time", "max_steps"),
    "a flow before its start": ({"run": FLOW | {"stop": {"max_time": -1.0}}}, "/run/stop/max_time", "equal to 0"),
    "too late an end": (
        {"run": FLOW | {"stop": {"max_time": 1e17}}},
        "/run/stop/max_time",
        "RANKWARD_MAX_TIME_PER_RUN",
    ),
    "a flow in steps": ({"run": FLOW | {"engine": "fused"}}, "/run/engine", "engine 'flow'"),
    "a flow in tensors": ({"run": FLOW | {"engine": "torch"}}, "/run/engine", "engine 'flow'"),
    "a descent in the engine of flows": (changed("engine", "flow"), "/run/engine", "gradient_flow"),
    "a flow in single precision": ({"run": FLOW | {"precision": "float32"}}, "/run/precision", "float64"),
    "a flow on a GPU": ({"run": FLOW | {"device": "cuda"}}, "/run/device", "CPU"),
    "every so many steps of a flow": (
        {"run": FLOW | {"record": {"every": 5}}},
        "/run/record/every",
        "points_per_decade",
    ),
    "learning rate of a flow": (
        {"run": FLOW | {"optimizer": {"kind": "gradient_flow", "learning_rate": 0.1}}},
        "/run/optimizer/learning_rate",
        "Unknown field",
    ),
    "tolerance below rounding": (
        {"run": FLOW | {"optimizer": {"kind": "gradient_flow", "rtol": 1e-17}}},
        "/run/optimizer/rtol",
        "greater than or equal",
    ),
    "a loss without a name": (changed("loss", "l3"), "/run/loss", "take one of half_sse"),
    "a loss of no kind": (changed("loss", {"kind": "l3"}), "/run/loss/kind", "take one of"),
    "a loss that needs a number": (changed("loss", "huber"), "/run/loss", "Give the delta"),
    "a loss without its number": (changed("loss", {"kind": "lp"}), "/run/loss/p", "required"),
    "a loss with a number too many": (changed("loss", {"kind": "l1", "p": 2}), "/run/loss/p", "Unknown field"),
    "delta of nothing": (changed("loss", {"kind": "huber", "delta": 0}), "/run/loss/delta", "greater than 0"),
    "p of l1": (changed("loss", {"kind": "lp", "p": 1}), "/run/loss/p", "there is the loss l1"),
    "p of a sweep": (
        changed("loss", {"kind": "lp", "p": 2}) | {"sweep": [{"loss.p": [3, 0.5]}]},
        "/sweep/0/loss.p/1",
        "there is the loss l1",
    ),
    "a loss of a sweep": (
        {"run": BASIC, "sweep": [{"loss": ["mse", {"kind": "huber", "delta": -1}]}]},
        "/sweep/0/loss/1/delta",
        "greater than 0",
    ),
    "a flow of l1": ({"run": FLOW | {"loss": "l1"}}, "/run/loss", "Lipschitz"),
    "a flow of a power below 2": ({"run": FLOW | {"loss": {"kind": "lp", "p": 1.5}}}, "/run/loss", "Lipschitz"),
    "a margin of squares": (changed("record", {"metrics": ["margin"]}), "/run/record/metrics", "losses of labels"),
    "unknown engine": (changed("engine", "warp9"), "/run/engine", "auto"),
    "sharpness of a large model": (
        {
            "run": BASIC
            | {
                "problem": {"kind": "all_but_corner", "dimension": 100},
                "init": {"kind": "identity", "scale": 1.0},
                "record": {"metrics": ["sharpness"]},
            }
        },
        "/run/record/metrics",
        "RANKWARD_MAX_SHARPNESS_NUMBERS",
    ),
    "descent without an optimizer beside a baseline": (
        {
            "run": {name: part for name, part in BASIC.items() if name not in ("model", "optimizer")},
            "sweep": [{"model": [{"kind": "nuclear_norm"}, BASIC["model"]]}],
        },
        "/run/optimizer",
        "required",
    ),
    "fused engine for a tensor": (tensor(engine="fused"), "/run/engine", "cp_tensor"),
    "rank of too large a product": (
        tensor({"shape": [30, 30, 30]}, record={"metrics": ["rank"]}),
        "/run/record/metrics",
        "8,192",
    ),
    "determinant metric of a tensor": (tensor(record={"metrics": ["determinant"]}), "/run/record/metrics", "square"),
    "two schedules": (changed("record", {"every": 2, "points_per_decade": 3}), "/run/record/every", "not both"),
    "tracked entry outside": (changed("record", {"entries": [[2, 0]]}), "/run/record/entries/0", "outside the shape"),
    "too many points": (
        changed("record", {"every": 1}) | {"sweep": [{"stop.max_steps": [10**6]}]},
        "/run/record",
        "RANKWARD_MAX_POINTS_PER_RUN",
    ),
    "too many steps": (changed("stop.max_steps", 10**13), "/run/stop/max_steps", "RANKWARD_MAX_STEPS_PER_RUN"),
    "huge integer": (changed("stop.max_steps", 10**30), "/run/stop/max_steps", "not exact"),
    "not a number where the sweep overrides it": (
        changed("seed", float("nan")) | {"sweep": [{"seed": [1]}]},
        "/run/seed",
        "finite",
    ),
}
