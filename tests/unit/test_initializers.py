import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.specs import spec
from workers.runs.initializers import starting_factors
from workers.runs.starts import StartError

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5))


def completion(shape):
    return {"kind": "completion", "shape": list(shape), "observations": [{"index": [0, 0], "value": 1.0}]}


def gaussian(**fields):
    return {"kind": "gaussian", "std": 0.1, **fields}


@given(SHAPES, st.integers(1, 5), st.integers(0, 2**31), st.sampled_from([None, 1, 2, 6]))
def test_balanced_starts_are_balanced_and_have_the_model_s_shapes(shape, depth, seed, width):
    model = {"kind": "deep_matrix", "depth": depth, "hidden_width": width}
    run = spec(problem=completion(shape), model=model, init=gaussian(balanced=True), seed=seed)
    factors = starting_factors(run)
    assert tuple(factor.shape for factor in factors) == run.factor_shapes
    for left, right in itertools.pairwise(factors):
        assert left.T @ left == pytest.approx(right @ right.T, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_the_product_has_the_asked_standard_deviation(balanced, depth):
    entries = []
    for seed in range(3000):
        init = gaussian(std=0.3, std_of="product", balanced=balanced)
        factors = starting_factors(spec(model={"kind": "deep_matrix", "depth": depth}, init=init, seed=seed))
        entries.append(np.linalg.multi_dot(factors) if depth > 1 else factors[0])
    assert np.std(entries) == pytest.approx(0.3, rel=0.1)


def test_the_std_of_a_factor_is_the_papers():
    factors = starting_factors(spec(init=gaussian(std=1e-6, std_of="product"), seed=1))
    scaled = starting_factors(spec(init=gaussian(std=7.937005e-3), seed=1))
    assert np.array(factors) == pytest.approx(np.array(scaled), rel=1e-6)


@pytest.mark.parametrize("sign", ["positive", "negative"])
@pytest.mark.parametrize("balanced", [False, True])
def test_the_determinant_has_the_asked_sign(sign, balanced):
    for seed in range(20):
        factors = starting_factors(spec(init=gaussian(determinant=sign, balanced=balanced), seed=seed))
        assert np.linalg.det(np.linalg.multi_dot(factors)) * (1 if sign == "positive" else -1) > 0


def test_same_seed_same_start_and_another_seed_another():
    first, again, other = (starting_factors(spec(seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_identity_and_explicit_starts():
    scaled = starting_factors(spec(init={"kind": "identity", "scale": 0.5}))
    assert all(np.array_equal(factor, 0.5 * np.eye(2)) for factor in scaled)
    given_factors = [[[1.0, 2.0], [3.0, 4.0]]] * 3
    explicit = starting_factors(spec(init={"kind": "explicit", "factors": given_factors}))
    assert np.array_equal(explicit, given_factors)


def test_a_sign_that_underflow_hides_is_given_up_with_a_sentence(monkeypatch):
    monkeypatch.setattr("workers.runs.starts.drawn.determinant_sign", lambda chain: 0)
    with pytest.raises(StartError, match="explicit factors"):
        starting_factors(spec())
