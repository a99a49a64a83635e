"""Wrong problems."""

from tests.api.wrong_payloads.payloads import SQUARE, Cases, changed, completion, observed, tensor

CASES: Cases = {
    "a value that is no label": (
        {"run": completion(observed(0, 1), observed(1, 0, value=-2.0))["run"] | {"loss": "logistic"}},
        "/run/problem/observations/1/value",
        "give 1 or -1",
    ),
    "a measurement that is no label": (
        changed("problem", {"kind": "sensing", "shape": [2, 2], "measurements": [{"tensor": SQUARE, "value": 0.5}]})
        | {"sweep": [{"loss": ["mse", "exponential"]}]},
        "/run/problem/measurements/0/value",
        "give 1 or -1",
    ),
    "a problem without labels": (changed("loss", "logistic"), "/run/problem", "give 1 or -1"),
    "not a number": (changed("problem.epsilon", float("nan")), "/run/problem/epsilon", "finite"),
    "the word NaN": (changed("problem.epsilon", "NaN"), "/run/problem/epsilon", "number"),
    "unknown kind": (changed("problem", {"kind": "cube"}), "/run/problem/kind", "perturbed_2x2"),
    "no kind": (changed("problem", {}), "/run/problem/kind", "kind"),
    "list for an object": (changed("problem", []), "/run/problem", "an object"),
    "observation outside": (completion(observed(0, 3)), "/run/problem/observations/0/index", "outside the shape"),
    "observation of another order": (completion(observed(0)), "/run/problem/observations/0/index", "outside the shape"),
    "observation given twice": (
        completion(observed(0, 1), observed(0, 1)),
        "/run/problem/observations/1/index",
        "already given",
    ),
    "no observations": (completion(), "/run/problem/observations", "at least 1"),
    "target of another shape": (completion(observed(0, 1), target=SQUARE), "/run/problem/target", "2 x 3"),
    "rank above the shape": (
        changed("problem", {"kind": "low_rank_completion", "shape": [2, 2], "rank": 3, "observed": 2}),
        "/run/problem/rank",
        "at most 2",
    ),
    "more observations than entries": (
        changed("problem", {"kind": "low_rank_completion", "shape": [2, 2], "rank": 1, "observed": 5}),
        "/run/problem/observed",
        "only 4 entries",
    ),
    "measurement of another shape": (
        changed("problem", {"kind": "sensing", "shape": [2, 2], "measurements": [{"tensor": [[1.0]], "value": 1.0}]}),
        "/run/problem/measurements/0/tensor",
        "2 x 2",
    ),
    "symmetric target of a rectangle": (
        changed(
            "problem",
            {"kind": "low_rank_completion", "shape": [2, 3], "rank": 1, "observed": 5, "symmetric": True},
        ),
        "/run/problem/symmetric",
        "Only a square matrix",
    ),
    "nuclear norm of a large matrix": (
        changed("problem", {"kind": "all_but_corner", "dimension": 151})
        | {"sweep": [{"model": [{"kind": "nuclear_norm"}]}]},
        "/run/problem",
        "RANKWARD_MAX_SEMIDEFINITE_SIZE",
    ),
    "rank of zero": (tensor({"rank": 0}), "/run/problem/rank", "greater than or equal to 1"),
    "order of one": (tensor({"shape": [3]}), "/run/problem/shape", "give 2 for a matrix"),
    "order of thirteen": (tensor({"shape": [2] * 13}), "/run/problem/shape", "up to 12 for a tensor"),
    "rank above any tensor's": (tensor({"rank": 10}), "/run/problem/rank", "at most 9"),
    "more observations than a tensor has": (tensor({"observed": 28}), "/run/problem/observed", "only 27 entries"),
    "too large a tensor": (tensor({"shape": [100, 100, 100]}), "/run/problem", "RANKWARD_MAX_PRODUCT_ENTRIES"),
    "negative noise": (tensor({"noise": -0.1}), "/run/problem/noise", "greater than or equal to 0"),
    "target of another order": (
        {"run": {**completion(observed(0, 1, 0), shape=(1, 2, 1), target=SQUARE)["run"]}},
        "/run/problem/target",
        "1 x 2 x 1",
    ),
    "text in a target": (completion(observed(0, 1), target=[[1.0, "2", 3.0]] * 2), "/run/problem/target/0/1", "number"),
    "too large a product": (
        changed("problem", {"kind": "all_but_corner", "dimension": 501}),
        "/run/problem",
        "RANKWARD_MAX_PRODUCT_ENTRIES",
    ),
    "too many measured numbers": (
        changed("problem", {"kind": "low_rank_sensing", "shape": [100, 100], "rank": 1, "measurements": 10**4}),
        "/run/problem",
        "RANKWARD_MAX_OBSERVED_NUMBERS",
    ),
}
