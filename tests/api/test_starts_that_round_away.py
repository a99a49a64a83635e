"""Numbers that a run's precision does not carry are refused with the least that it does."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.helpers.specs import BASIC, run_whole, spec
from tests.kinds.examples import example_of, kinds_of
from tests.kinds.fitting import valid
from workers.runs.initializers import starting_factors
from workers.runs.models import Model
from workers.runs.precisions import LEAST, rounded_away

GAUSSIAN = {"kind": "gaussian"}
DEEP = {"kind": "deep_matrix", "depth": 3}
EXPLICIT = {"kind": "explicit", "factors": [[[1e-46, 0.0], [0.0, 1e-50]]]}
ROUNDED = [
    ("float32", DEEP, GAUSSIAN | {"std": 1e-46}, "/run/init/std"),
    ("float32", DEEP, GAUSSIAN | {"std": 1e-46, "balanced": True}, "/run/init/std"),
    ("float32", DEEP, GAUSSIAN | {"std": 1e-130, "std_of": "product"}, "/run/init/std"),
    ("float32", {"kind": "symmetric_matrix"}, GAUSSIAN | {"std": 1e-80, "std_of": "product"}, "/run/init/std"),
    ("float32", {"kind": "cp_tensor"}, GAUSSIAN | {"std": 1e-39}, "/run/init/std"),
    ("float32", DEEP, {"kind": "identity", "scale": 1e-40}, "/run/init/scale"),
    ("float32", DEEP | {"depth": 1}, EXPLICIT, "/run/init/factors/0"),
    ("float64", DEEP, GAUSSIAN | {"std": 1e-310}, "/run/init/std"),
    ("float32", DEEP, {"kind": "uniform", "scale": 1e-40}, "/run/init/scale"),
    ("float32", DEEP, {"kind": "orthogonal", "scale": 1e-40}, "/run/init/scale"),
    ("float32", DEEP, {"kind": "spectral", "scale": 1e-40}, "/run/init/scale"),
    ("float32", DEEP, {"kind": "constant", "value": 1e-40}, "/run/init/value"),
    ("float32", DEEP, {"kind": "lambda_balanced", "lambda": 0.0, "std": 1e-130}, "/run/init/std"),
    ("float32", DEEP, {"kind": "lambda_balanced", "lambda": 2.0, "std": 1e-40}, "/run/init/std"),
]


@pytest.mark.parametrize(("precision", "model", "init", "pointer"), ROUNDED)
def test_a_start_that_rounds_away_is_refused_with_the_least_there_is(api, precision, model, init, pointer):
    run = BASIC | {"precision": precision, "model": model, "init": init}
    answer = api.post("/v1/experiments", json={"run": run})
    assert answer.status_code == 422
    (mistake,) = answer.json()["errors"]
    assert mistake["pointer"] == pointer
    assert f"rounds away in {precision}" in mistake["detail"]
    assert api.get("/v1/runs").json()["items"] == []
    least = float(re.search(r"least there is (\S+);", mistake["detail"])[1])
    name = pointer.rpartition("/")[2]
    if name != "0":
        run["init"] = init | {name: least}
        assert api.post("/v1/experiments?dry_run=true", json={"run": run}).status_code == 200
        run["init"] = init | {name: least * 0.97}
        assert api.post("/v1/experiments?dry_run=true", json={"run": run}).status_code == 422


def test_an_axis_is_pointed_at(api):
    body = {"run": BASIC | {"precision": "float32"}, "sweep": [{"init.std": [1e-2, 1e-200]}]}
    (mistake,) = api.post("/v1/experiments", json=body).json()["errors"]
    assert mistake["pointer"] == "/sweep/0/init.std/1"


@pytest.mark.parametrize(("rate", "said"), [(1e-46, "rounds away in float32"), (1e39, "is infinite in float32")])
def test_a_learning_rate_beyond_the_precision_is_refused(api, rate, said):
    optimizer = {"kind": "gradient_descent", "learning_rate": rate}
    run = BASIC | {"optimizer": optimizer}
    assert api.post("/v1/experiments?dry_run=true", json={"run": run}).status_code == 200
    (mistake,) = api.post("/v1/experiments", json={"run": run | {"precision": "float32"}}).json()["errors"]
    assert mistake["pointer"] == "/run/optimizer/learning_rate"
    assert said in mistake["detail"]


@given(
    kind=st.sampled_from([kind for kind in kinds_of(Model) if kind.is_trained]),
    exponent=st.floats(-330, 2),
    std_of=st.sampled_from(["factor", "product"]),
    balanced=st.booleans(),
    precision=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 1000),
)
def test_every_start_that_is_taken_has_numbers_of_its_size(kind, exponent, std_of, balanced, precision, seed):
    init = GAUSSIAN | {"std": max(10.0**exponent, 5e-324), "std_of": std_of}
    init |= {"balanced": balanced} if kind.width_name == "hidden width" else {}
    run = valid(BASIC | {"model": example_of(kind), "init": init, "precision": precision, "seed": seed})
    assume(run is not None)  # forms of tensors, and products whose entries share no standard deviation
    factors = [factor.astype(precision) for factor in starting_factors(run)]
    largest = max(float(np.abs(factor).max()) for factor in factors)
    std = run.model.entry_std(run.init, run.problem.shape)
    if rounded_away(run) is None:
        assert all(factor.any() for factor in factors)
        assert 1e-2 * std < largest < 1e2 * std
    else:
        assert std < LEAST[precision]


@pytest.mark.slow
@pytest.mark.parametrize("std", [1e-4, 1e4, 1e-300])
@pytest.mark.parametrize("sign", ["any", "positive", "negative"])
@pytest.mark.parametrize("width", [2, 3])
def test_a_balanced_start_is_there_where_its_product_is_not(std, sign, width):
    init = GAUSSIAN | {"std": std, "balanced": True, "determinant": sign}
    model = {"kind": "deep_matrix", "depth": 100, "hidden_width": width}
    deep = spec(model=model, init=init, stop={"max_steps": 0})
    factors = starting_factors(deep)
    for left, right in pairwise(factors):
        np.testing.assert_allclose(left.T @ left, right @ right.T, atol=1e-12 * std**2)
    if std < 1:
        columns = run_whole(deep).points.columns
        assert columns["log_abs_determinant"][0] == pytest.approx(200 * np.log(std), abs=150)
        assert columns["determinant_sign"][0] in ({1, -1} if sign == "any" else {1 if sign == "positive" else -1})
