"""Wrong problems."""

from tests.api.wrong_payloads.payloads import SQUARE, Cases, changed, completion, observed, tensor


def drawn(kind, **fields):
    run = changed("problem", {"kind": kind, **fields})["run"]
    return {"run": run | {"init": {"kind": "identity", "scale": 1.0}}}


def regression(inputs, outputs, **fields):
    return drawn("regression", inputs=inputs, outputs=outputs, **fields)


def low_rank(**fields):
    return drawn("low_rank_completion", shape=[2, 2], observed=3, **fields)


def sensing(**fields):
    measurements = [{"tensor": SQUARE, "value": 1.0}]
    return drawn("sensing", shape=[2, 2], measurements=measurements, **fields)


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
    "ragged inputs": (
        regression([[1.0, 2.0], [3.0]], [1.0, 2.0]),
        "/run/problem/inputs/1",
        "Row 0 has 2 and this has 1",
    ),
    "a number among inputs": (regression([[1.0], 2.0], [1.0, 2.0]), "/run/problem/inputs/1", "list of numbers"),
    "inputs that are numbers": (regression([1.0, 2.0], [1.0, 2.0]), "/run/problem/inputs/0", "list of numbers"),
    "empty inputs": (regression([[], []], [1.0, 2.0]), "/run/problem/inputs/0", "at least 1"),
    "inputs too deep": (regression([[[1.0]], [[1.0]]], [1.0, 2.0]), "/run/problem/inputs/0", "nested too deeply"),
    "fewer outputs than inputs": (
        regression([[1.0], [2.0]], [1.0]),
        "/run/problem/outputs",
        "2 inputs and 1 outputs",
    ),
    "ragged outputs": (regression([[1.0], [2.0]], [[1.0], 2.0]), "/run/problem/outputs/1", "list of numbers"),
    "a label for an output": (regression([[1.0], [2.0]], [1.0, "cat"]), "/run/problem/outputs/1", "Give a number"),
    "held-out samples of another dimension": (
        regression([[1.0], [2.0]], [1.0, 2.0], held_out={"inputs": [[1.0, 2.0]], "outputs": [1.0]}),
        "/run/problem/held_out/inputs",
        "these have 2",
    ),
    "held-out samples that do not match": (
        regression([[1.0], [2.0]], [1.0, 2.0], held_out={"inputs": [[1.0]], "outputs": [1.0, 2.0]}),
        "/run/problem/held_out/outputs",
        "1 inputs and 2 outputs",
    ),
    "too sparse a regression": (
        drawn("random_regression", samples=3, dimension=2, sparsity=3),
        "/run/problem/sparsity",
        "2 entries",
    ),
    "a spectrum longer than the shape": (low_rank(spectrum=[3, 2, 1]), "/run/problem/spectrum", "at most 2 singular"),
    "a negative singular value": (low_rank(spectrum=[3, -2]), "/run/problem/spectrum/1", "greater than 0"),
    "a spectrum of another rank": (low_rank(spectrum=[3, 2], rank=1), "/run/problem/rank", "leave the rank out"),
    "a spectrum of another norm": (low_rank(spectrum=[3, 4], norm=1), "/run/problem/norm", "the norm 5"),
    "a spectrum with a condition number": (
        low_rank(spectrum=[3, 2], condition_number=2),
        "/run/problem/condition_number",
        "one of the two",
    ),
    "a condition number of rank 1": (
        low_rank(rank=1, condition_number=2),
        "/run/problem/condition_number",
        "condition number 1",
    ),
    "a condition number below 1": (
        low_rank(rank=2, condition_number=0.5),
        "/run/problem/condition_number",
        "greater than or equal to 1",
    ),
    "a spectrum of a tensor": (tensor({"spectrum": [1.0]}), "/run/problem/spectrum", "those of a matrix"),
    "a share of outliers above 1": (
        low_rank(rank=1, outliers={"share": 1.5, "scale": 1}),
        "/run/problem/outliers/share",
        "less than or equal to 1",
    ),
    "outliers without a scale": (low_rank(rank=1, outliers={"share": 0.5}), "/run/problem/outliers/scale", "required"),
    "more held out than unobserved": (low_rank(rank=1, held_out=2), "/run/problem/held_out", "Only 1 entries"),
    "an entry both observed and held out": (
        completion(observed(0, 1), observed(1, 1), held_out=[observed(1, 0), observed(1, 1)]),
        "/run/problem/held_out/1/index",
        "is observed",
    ),
    "a held-out entry outside": (
        completion(observed(0, 1), held_out=[observed(0, 3)]),
        "/run/problem/held_out/0/index",
        "outside the shape",
    ),
    "a held-out entry given twice": (
        completion(observed(0, 1), held_out=[observed(0, 0), observed(0, 0)]),
        "/run/problem/held_out/1/index",
        "held-out observation 0",
    ),
    "a held-out measurement of another shape": (
        sensing(held_out=[{"tensor": [[1.0]], "value": 1.0}]),
        "/run/problem/held_out/0/tensor",
        "2 x 2",
    ),
    "a target of another shape beside measurements": (sensing(target=[[1.0]]), "/run/problem/target", "2 x 2"),
    "an unknown kind of measurement": (
        drawn("low_rank_sensing", shape=[2, 2], rank=1, measurements=2, measurement="binary"),
        "/run/problem/measurement",
        "gaussian",
    ),
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
