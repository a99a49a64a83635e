"""Wrong models and starts."""

from tests.api.wrong_payloads.payloads import (
    NEGATIVE,
    RECTANGLE,
    SQUARE,
    Cases,
    baseline,
    changed,
    completion,
    completion_by,
    observed,
    tensor,
)
from tests.helpers.specs import BASIC, FLOW

CASES: Cases = {
    "unknown field": (changed("model.dept", 3), "/run/model/dept", "Unknown field"),
    "text for a number": (changed("model.depth", "3"), "/run/model/depth", "integer"),
    "fraction for an integer": (changed("model.depth", 2.5), "/run/model/depth", "integer"),
    "depth of zero": (changed("model.depth", 0), "/run/model/depth", "greater than or equal to 1"),
    "too large a flow": (
        {"run": FLOW | {"problem": {"kind": "all_but_corner", "dimension": 100}}},
        "/run/model",
        "RANKWARD_MAX_FLOW_NUMBERS",
    ),
    "too few factors": (
        changed("init", {"kind": "explicit", "factors": [SQUARE] * 2}),
        "/run/init/factors",
        "3 factors",
    ),
    "factor of the wrong shape": (
        changed("init", {"kind": "explicit", "factors": [SQUARE, [[1.0, 2.0]], SQUARE]}),
        "/run/init/factors/1",
        "2 x 2",
    ),
    "ragged factor": (
        changed("init", {"kind": "explicit", "factors": [SQUARE, SQUARE, [[1.0], [1.0, 2.0]]]}),
        "/run/init/factors/2",
        "2 x 2",
    ),
    "too few stds": (
        changed("init", {"kind": "gaussian", "std": [0.1, 0.2]}),
        "/run/init/std",
        "3 factors",
    ),
    "a negative std in a list": (
        changed("init", {"kind": "gaussian", "std": [0.1, -0.2, 0.3]}),
        "/run/init/std/1",
        "greater than 0",
    ),
    "a negative std": (changed("init.std", -1), "/run/init/std", "greater than 0"),
    "a text for a std": (changed("init.std", "1"), "/run/init/std", "Give a number"),
    "the shape of a constant": (
        changed("init", {"kind": "constant", "value": 0.1, "shape": 0.5}),
        "/run/init/shape",
        "diagonal network",
    ),
    "no lambda": (changed("init", {"kind": "lambda_balanced", "std": 0.1}), "/run/init/lambda", "required"),
    "a lambda without rows": (
        {
            "run": changed("init", {"kind": "lambda_balanced", "std": 0.1, "lambda": 1})["run"]
            | {"model": {"kind": "deep_matrix", "depth": 2, "hidden_width": 3}}
        },
        "/run/init/lambda",
        "narrow the model",
    ),
    "a spectral start of a tensor": (tensor(init={"kind": "spectral"}), "/run/init/kind", "order 3"),
    "a spectral start above the rank": (
        changed("init", {"kind": "spectral", "rank": 3}),
        "/run/init/rank",
        "rank 2 at most",
    ),
    "a run that is not there": (changed("init", {"kind": "run", "id": "nobody"}), "/run/init/id", "no run 'nobody'"),
    "factors of another run of another shape": (
        changed("init", {"kind": "run", "id": "nobody", "factors": [SQUARE]}),
        "/run/init/factors",
        "3 factors",
    ),
    "determinant of a rectangle": (
        {"run": completion(observed(0, 1))["run"] | {"init": BASIC["init"]}},
        "/run/init/determinant",
        "no determinant",
    ),
    "determinant of a narrow model": (changed("model.hidden_width", 1), "/run/init/determinant", "always zero"),
    "symmetric rectangle": (
        completion_by({"kind": "symmetric_matrix"}),
        "/run/model/kind",
        "is square and this problem is 2 x 3",
    ),
    "symmetric tensor": (tensor(model={"kind": "symmetric_matrix"}), "/run/model/kind", "cp_tensor"),
    "rank of zero of a symmetric model": (
        changed("model", {"kind": "symmetric_matrix", "rank": 0}),
        "/run/model/rank",
        "greater than or equal to 1",
    ),
    "negative determinant of a symmetric model": (
        {"run": changed("model", {"kind": "symmetric_matrix"})["run"] | {"init": NEGATIVE}},
        "/run/init/determinant",
        "never has a negative determinant",
    ),
    "positive determinant of a narrow symmetric model": (
        changed("model", {"kind": "symmetric_matrix", "rank": 1}),
        "/run/init/determinant",
        "With a rank below 2",
    ),
    "factors of a symmetric model": (
        {
            "run": changed("model", {"kind": "symmetric_matrix"})["run"]
            | {"init": {"kind": "explicit", "factors": [SQUARE, SQUARE]}}
        },
        "/run/init/factors",
        "The model has 1 factor",
    ),
    "nuclear norm of a tensor": (tensor(model={"kind": "nuclear_norm"}), "/run/model/kind", "two dimensions"),
    "unknown solver": (
        changed("model", {"kind": "nuclear_norm", "solver": "gurobi"}),
        "/run/model/solver",
        "'clarabel'",
    ),
    "solver without end": (
        changed("model", {"kind": "nuclear_norm", "max_seconds": 1e6}),
        "/run/model/max_seconds",
        "3600",
    ),
    "least l1 of a tensor": (tensor(model={"kind": "least_l1"}), "/run/model/kind", "two dimensions"),
    "least l1 of labels": (baseline("least_l1", loss="logistic"), "/run/loss", "those of logistic are labels"),
    "least q without its start": (baseline("least_q"), "/run/model/alpha", "required"),
    "least q of a start of zero": (baseline({"kind": "least_q", "alpha": 0.0}), "/run/model/alpha", "greater than 0"),
    "least q of one layer": (baseline({"kind": "least_q", "alpha": 1.0, "depth": 1}), "/run/model/depth", "equal to 2"),
    "greedy beyond full rank": (
        baseline({"kind": "greedy_low_rank", "max_rank": 3}),
        "/run/model/max_rank",
        "a rank above 2",
    ),
    "greedy of sizes": (baseline("greedy_low_rank", loss={"kind": "l1"}), "/run/loss", "Lipschitz"),
    "symmetric greedy of a rectangle": (
        baseline({"kind": "greedy_low_rank", "symmetric": True}, problem={**RECTANGLE, "observed": 6}),
        "/run/model/symmetric",
        "3 x 4",
    ),
    "soft-impute of measurements": (
        baseline("soft_impute", problem={**RECTANGLE, "kind": "low_rank_sensing", "measurements": 6}),
        "/run/model/kind",
        "this problem has measurements",
    ),
    "soft-impute of a huber loss": (
        baseline("soft_impute", loss={"kind": "huber", "delta": 1.0}),
        "/run/loss",
        "take half_sse",
    ),
    "components of zero": (tensor(model={"kind": "cp_tensor", "rank": 0}), "/run/model/rank", "greater than or equal"),
    "too many components": (
        tensor(model={"kind": "cp_tensor", "rank": 10**6}),
        "/run/model",
        "RANKWARD_MAX_TRAINED_NUMBERS",
    ),
    "deep matrix of a tensor": (tensor(model={"kind": "deep_matrix", "depth": 3}), "/run/model/kind", "cp_tensor"),
    "identity start of components": (
        tensor(init={"kind": "identity", "scale": 1.0}),
        "/run/init/kind",
        "gaussian or explicit",
    ),
    "balanced components": (
        tensor(init={"kind": "gaussian", "std": 0.1, "balanced": True}),
        "/run/init/balanced",
        "deep_matrix",
    ),
    "determinant of components": (
        tensor(init={"kind": "gaussian", "std": 0.1, "determinant": "positive"}),
        "/run/init/determinant",
        "ask for 'any'",
    ),
    "too few factors of a tensor": (
        tensor(init={"kind": "explicit", "factors": [SQUARE]}),
        "/run/init/factors",
        "3 factors",
    ),
    "too large a model": (changed("model.hidden_width", 10**6), "/run/model", "RANKWARD_MAX_TRAINED_NUMBERS"),
    "bottomless depth": (changed("model.depth", 2**53 - 1), "/run/model/depth", "less than or equal to 1000"),
    "NUL in the run": (changed("model.kind", "deep\0matrix"), "/run/model/kind", "\\u0000"),
}
