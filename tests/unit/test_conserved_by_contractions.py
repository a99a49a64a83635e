"""What the flow of a contraction conserves, index by index."""

import numpy as np

from tests.helpers.contractions import CHAIN, COMPONENTS, FLOW, SQUARE, TREE, low_rank, spec
from tests.helpers.specs import run_whole
from workers.runs.models.contraction import Contraction


def weights_of(**parts):
    """The invariants of a contraction, by the names of the factors."""
    form = Contraction.model_validate({"kind": "contraction"} | parts).multilinear(())
    return {
        (
            tuple((form.names[factor], dimension, weight) for (factor, dimension), weight in invariant.parts),
            invariant.is_gram,
        )
        for invariant in form.invariants
    }


def test_neighbours_of_a_chain_conserve_the_difference_of_their_gram_matrices():
    found = weights_of(factors=CHAIN["factors"], terms=CHAIN["terms"])
    assert found == {((("a", 1, -1), ("b", 0, 1)), True), ((("b", 1, -1), ("c", 0, 1)), True)}


def test_a_letter_of_three_factors_conserves_two_differences_of_squared_norms():
    found = weights_of(factors=COMPONENTS["factors"], terms=COMPONENTS["terms"])
    assert found == {((("f1", 1, -1), ("f2", 1, 1)), False), ((("f1", 1, -1), ("f3", 1, 1)), False)}


def test_a_letter_of_the_product_conserves_too_and_a_constant_on_it_leaves_the_diagonal():
    found = weights_of(factors={"u": [3], "v": [3]}, terms=[{"of": ["u", "v"], "einsum": "i,i->i"}])
    assert found == {((("u", 0, -1), ("v", 0, 1)), False)}
    joined = [{"of": ["u", "c", "v"], "einsum": "ir,r,rj->ij"}]
    found = weights_of(factors={"u": [3, 2], "v": [2, 3]}, terms=joined, constants={"c": [1.0, 2.0]})
    assert found == {((("u", 1, -1), ("v", 0, 1)), False)}


def test_repeated_factors_and_terms_that_differ_conserve_nothing():
    assert weights_of(factors=SQUARE["factors"], terms=SQUARE["terms"]) == set()
    crossed = [{"of": ["u", "v"], "einsum": "ij,jk->ik"}, {"of": ["v", "u"], "einsum": "ij,jk->ik"}]
    assert weights_of(factors={"u": [2, 2], "v": [2, 2]}, terms=crossed) == set()


def test_two_terms_conserve_what_both_do():
    two = [{"of": ["u", "v"], "einsum": "ij,jk->ik"}, {"of": ["u", "w"], "einsum": "ij,jk->ik"}]
    found = weights_of(factors={"u": [2, 3], "v": [3, 2], "w": [3, 2]}, terms=two)
    assert found == {((("u", 1, -1), ("v", 0, 1), ("w", 0, 1)), False)}


def test_the_flow_of_a_hierarchical_tensor_conserves_the_differences_of_its_norms():
    found = weights_of(factors=TREE["factors"], terms=TREE["terms"])
    assert {frozenset(axis[:2] for axis in parts) for parts, _ in found} == {
        frozenset({("f1", 1), ("f2", 1)}),
        frozenset({("f1", 1), ("a", 0)}),
        frozenset({("f3", 1), ("f4", 1)}),
        frozenset({("f3", 1), ("b", 0)}),
        frozenset({("a", 1), ("b", 1)}),
        frozenset({("a", 1), ("o", 0)}),
    }
    init = {"kind": "gaussian", "std": 0.7}
    flow = FLOW | {"optimizer": {"kind": "gradient_flow", "rtol": 1e-12, "atol": 1e-12}, "stop": {"max_time": 5.0}}
    columns = run_whole(spec(model=TREE, problem=low_rank([2, 2, 2, 2], 12), init=init, **flow)).points.columns
    assert columns["loss"][-1] < columns["loss"][0]
    assert columns["conservation_drift"].max() < 1e-9
    np.testing.assert_allclose(columns["balancedness_gap"], columns["balancedness_gap"][0], rtol=1e-9)
