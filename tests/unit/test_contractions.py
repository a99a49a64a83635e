"""Contractions: mistakes, paths, conserved quantities, and agreement with the engines of other models."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.helpers.specs import run_whole
from workers.lab.models.base import build_model, maths_of
from workers.runs.models import Model
from workers.runs.models.contraction import Contraction
from workers.runs.spec import RunSpec

CHAIN = {
    "kind": "contraction",
    "factors": {"a": [3, 2], "b": [2, 4], "c": [4, 2]},
    "terms": [{"of": ["a", "b", "c"], "einsum": "ij,jk,kl->il"}],
}
SQUARE = {"kind": "contraction", "factors": {"u": [3, 3]}, "terms": [{"of": ["u", "u"], "einsum": "ir,jr->ij"}]}
COMPONENTS = {
    "kind": "contraction",
    "factors": {"f1": [3, 4], "f2": [2, 4], "f3": [4, 4]},
    "terms": [{"of": ["f1", "f2", "f3"], "einsum": "ir,jr,kr->ijk"}],
}
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


def spec(**parts):
    run = {"init": {"kind": "gaussian", "std": 0.3}, "optimizer": {"kind": "gradient_descent", "learning_rate": 0.05}}
    run |= {"stop": {"max_steps": 60}, "record": {"every": 20}}
    return RunSpec.model_validate(run | parts)


def low_rank(shape, observed):
    return {"kind": "low_rank_completion", "shape": shape, "rank": 1, "observed": observed}


FLOW = {"optimizer": {"kind": "gradient_flow"}, "stop": {"max_time": 2.0}, "record": {"points_per_decade": 3}}
TWINS = [
    (CHAIN, {"kind": "deep_matrix", "depth": 3}, [3, 2], 4),
    (SQUARE, {"kind": "symmetric_matrix", "rank": 3}, [3, 3], 6),
    (COMPONENTS, {"kind": "cp_tensor", "rank": 4}, [3, 2, 4], 15),
]


@pytest.mark.parametrize("way", [{}, {"optimizer": {"kind": "adam", "learning_rate": 0.01}}, FLOW], ids=str)
@pytest.mark.parametrize(("contraction", "own", "shape", "observed"), TWINS, ids=["chain", "square", "components"])
def test_a_model_written_as_a_contraction_agrees_with_its_engine(contraction, own, shape, observed, way):
    problem = low_rank(shape, observed)
    if contraction is CHAIN:  # hidden widths of one size are what a deep matrix has
        contraction = CHAIN | {"factors": {"a": [3, 2], "b": [2, 2], "c": [2, 2]}}
    if contraction is SQUARE:  # the target that a symmetric matrix gets by itself
        problem = problem | {"symmetric": True}
    runs = [spec(model=model, problem=problem, **way) for model in (contraction, own)]
    ours, theirs = (run_whole(run).points.columns for run in runs)
    shared = set(ours) & set(theirs) - {"conservation_drift"}
    assert {"loss", "gradient_norm", "frobenius_norm", "reconstruction_error"} <= shared
    assert ("balancedness_gap" in shared) == (own["kind"] == "deep_matrix")
    for name in shared:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-7, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("factors", "terms", "constants"),
    [
        (CHAIN["factors"], CHAIN["terms"], {}),
        (TREE["factors"], TREE["terms"], {}),
        ({"u": [3]}, [{"of": ["u"] * 4, "einsum": "i,i,i,i->i"}], {}),
        ({"u": [3, 2]}, [{"of": ["u"], "einsum": "ij->ji", "sign": -1}], {}),
        ({"u": [3, 2]}, [{"of": ["u"], "einsum": "ij->i"}], {}),
        ({"u": [3, 3], "v": [3, 3]}, [{"of": ["u", "u", "v"], "einsum": "ij,jk,lk->il"}] * 2, {}),
        (
            {"u": [2, 3, 2]},
            [{"of": ["c", "u"], "einsum": "abc,iaj->cijb"}],
            {"c": [[[1.0, 2.0]], [[0.5, -1.0]], [[2.0, 0.0]]]},
        ),
        ({"u": [2, 3], "v": [4]}, [{"of": ["u", "v", "u"], "einsum": "ir,a,js->iaj"}], {}),
        (
            {"u": [2, 2], "v": [2, 2]},
            [{"of": ["w"], "einsum": "ij->ij"}, {"of": ["u", "v", "w"], "einsum": "ai,bj,ab->ij", "sign": -1}],
            {"w": [[1.0, 2.0], [3.0, 4.0]]},
        ),
    ],
    ids=str,
)
def test_product_and_gradient_are_those_of_einsum(factors, terms, constants):
    model = Contraction.model_validate(
        {"kind": "contraction", "factors": factors, "terms": terms, "constants": constants}
    )
    if "c" in constants:  # a dimension of the constant is 3 x 1 x 2
        assert model.multilinear(()).constants["c"].shape == (3, 1, 2)
    form = model.multilinear(())
    shape = form.shape if len(form.shape) > 1 else (1, *form.shape)
    entries = np.ndindex(*shape)
    observations = [{"index": list(index), "value": 0.1 * n} for n, index in enumerate(entries)]
    run = spec(model=model.model_dump(), problem={"kind": "completion", "shape": shape, "observations": observations})
    generator = torch.Generator().manual_seed(0)
    given = [torch.randn(3, *s, generator=generator).double().requires_grad_() for s in run.factor_shapes]
    named = dict(zip(form.names, given, strict=True)) | {
        name: torch.tensor(array).expand(3, *array.shape) for name, array in form.constants.items()
    }
    expected = sum(
        term.sign * torch.einsum(_batched(term.einsum), *(named[name] for name in term.of)) for term in form.terms
    )
    product = maths_of(run.model, shape).product(given)
    torch.testing.assert_close(product.reshape(expected.shape), expected)
    numpys = form.product([factor[1].detach().numpy() for factor in given])
    np.testing.assert_allclose(numpys, expected[1].detach(), atol=1e-12)
    target = 0.1 * torch.arange(expected[0].numel(), dtype=torch.float64).view(expected[0].shape)
    weight = 1.0 if run.loss.kind == "half_sse" else 2 / expected[0].numel()
    loss = weight / 2 * (expected - target).square().sum()
    gradient, twice = [torch.empty_like(factor) for factor in given], torch.empty(3, 1, 1, dtype=torch.float64)
    with torch.no_grad():
        build_model([run] * 3, gradient).bind(given, twice)()
    for ours, autograds in zip(gradient, torch.autograd.grad(loss, given), strict=True):
        torch.testing.assert_close(ours, autograds, rtol=1e-11, atol=1e-12)


def _batched(einsum):
    operands, output = einsum.split("->")
    return ",".join("Z" + letters for letters in operands.split(",")) + "->Z" + output


def mistake_in(**changes):
    with pytest.raises(ValidationError) as raised:
        Contraction.model_validate(CHAIN | changes)
    (error,) = raised.value.errors()
    return error


def term(einsum, of=("a", "b", "c")):
    return {"of": list(of), "einsum": einsum}


@pytest.mark.parametrize(
    ("einsum", "position", "words"),
    [
        ("ij,jk,k1->il", 7, "means nothing"),
        ("ij,jk,kl", 8, "Write '->'"),
        ("ij,jk,kl->il->i", 12, "one group"),
        ("ij,jk,kl->il,i", 12, "one group"),
        ("ij,jk->ik", 5, "2 groups of letters and 3 names"),
        ("ij,jk,kl,lm->im", 9, "4 groups"),
        ("ij,jkm,kl->il", 5, "'b' has 2 dimensions and 3 letters"),
        ("i,jk,kl->il", 1, "'a' has 2 dimensions and 1 letter"),
        ("ij,kj,kl->il", 4, "'j' is 4 here, in 'b', and 2 before"),
        ("ij,jk,ki->i", 7, "'i' is 2 here"),
        ("ij,jk,kk->i", 7, "occurs twice in 'c'"),
        ("ij,jk,kl->", 10, "a dimension or more"),
        ("ij,jk,kl->in", 11, "No operand has the letter 'n'"),
        ("ij,jk,kl->ii", 11, "'i' twice"),
    ],
)
def test_a_mistake_in_subscripts_points_at_its_character(einsum, position, words):
    error = mistake_in(terms=[term(einsum)])
    assert error["loc"] == ()
    assert error["ctx"]["pointer"] == ["terms", 0, "einsum"]
    assert error["ctx"]["position"] == position
    assert words in error["msg"]


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ({"terms": [term("ij,jk,kl->il", ("a", "b", "x"))]}, ["terms", 0, "of", 2], "no factor or constant 'x'"),
        ({"factors": CHAIN["factors"] | {"d": [2]}}, ["factors", "d"], "No term has 'd'"),
        ({"constants": {"d": [1.0]}}, ["constants", "d"], "No term has 'd'"),
        ({"constants": {"a": [1.0]}}, ["constants", "a"], "a factor already"),
        ({"constants": {"d": [[1.0], [1.0, 2.0]]}}, ["constants", "d"], "lists of a level"),
        ({"factors": {"2a": [1]}}, ["factors", "2a"], "A name is a letter"),
        ({"terms": [CHAIN["terms"][0], term("ij,jk,kl->li")]}, ["terms", 1, "einsum"], "This term is 2 x 3"),
    ],
)
def test_a_mistake_points_at_its_field(changes, pointer, words):
    error = mistake_in(**changes)
    assert error["ctx"]["pointer"] == pointer
    assert words in error["msg"]


def test_a_product_of_another_shape_than_the_problem_is_refused():
    with pytest.raises(ValidationError, match="This product is 3 x 2 and the problem is 2 x 2"):
        spec(model=CHAIN, problem=low_rank([2, 2], 3))


def test_a_vector_fits_a_problem_with_one_row_and_has_the_metrics_of_vectors():
    model = {"kind": "contraction", "factors": {"u": [4], "v": [4]}, "terms": [{"of": ["u", "v"], "einsum": "i,i->i"}]}
    run = spec(model=model, problem={"kind": "random_regression", "samples": 6, "dimension": 4})
    columns = run_whole(run).points.columns
    assert columns["loss"][-1] < columns["loss"][0]
    assert set(columns) == {
        *(
            "step",
            "time",
            "loss",
            "frobenius_norm",
            "l1_norm",
            "balancedness_gap",
            "gradient_norm",
            "reconstruction_error",
        )
    }


def test_the_price_is_that_of_the_best_order():
    """ABC of 1000 x 1, 1 x 1000 and 1000 x 1 matrices: the last two first."""
    model = CHAIN | {"factors": {"a": [1000, 1], "b": [1, 1000], "c": [1000, 1]}}
    form = Contraction.model_validate(model).multilinear(())
    assert form.multiply_adds == 3 * (1000 + 1000)


def test_factors_are_in_the_order_of_the_terms_whatever_the_order_of_the_object():
    reverse = dict(reversed(CHAIN["factors"].items()))
    ours, theirs = (Contraction.model_validate(CHAIN | {"factors": f}) for f in (CHAIN["factors"], reverse))
    assert ours == theirs
    assert hash(ours) == hash(theirs)
    assert ours.factor_names(()) == theirs.factor_names(()) == ("a", "b", "c")
    assert ours.factor_shapes(()) == ((3, 2), (2, 4), (4, 2))


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


def test_a_hierarchical_tensor_written_as_a_contraction():
    """R16 of the field's reference checks: the product and its norm."""
    run = spec(
        model=TREE, problem=low_rank([2, 2, 2, 2], 12), init={"kind": "explicit", "factors": TREE_FACTORS}, **FLOW
    )
    factors = [torch.tensor(np.array(TREE_FACTORS[name], dtype=float))[None] for name in run.model.factor_names(())]
    product = maths_of(run.model, (2, 2, 2, 2)).product(factors)
    assert product.flatten().tolist() == TREE_PRODUCT
    assert float(product.norm()) == pytest.approx(32.2800247831, abs=1e-9)
    assert run_whole(run).points.columns["frobenius_norm"][0] == pytest.approx(32.2800247831, abs=1e-9)


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


def test_the_tubal_product_is_that_of_the_fourier_definition():
    """R19: a constant circulant tensor says which fibres meet."""
    rows, inner, columns, tubes = 2, 3, 2, 4
    circulant = [[[float((a + b) % tubes == c) for c in range(tubes)] for b in range(tubes)] for a in range(tubes)]
    model = {
        "kind": "contraction",
        "factors": {"u": [rows, inner, tubes], "v": [inner, columns, tubes]},
        "terms": [{"of": ["u", "v", "circulant"], "einsum": "ija,jkb,abc->ikc"}],
        "constants": {"circulant": circulant},
    }
    draws = np.random.default_rng(0)
    u, v = draws.standard_normal((rows, inner, tubes)), draws.standard_normal((inner, columns, tubes))
    expected = np.fft.ifft(np.einsum("ija,jka->ika", np.fft.fft(u), np.fft.fft(v)), axis=2).real
    form = Contraction.model_validate(model).multilinear(())
    np.testing.assert_allclose(form.product([u, v]), expected, atol=1e-14)
    maths = maths_of(Contraction.model_validate(model), (rows, columns, tubes))
    ours = maths.product([torch.from_numpy(u)[None], torch.from_numpy(v)[None]])
    np.testing.assert_allclose(ours.reshape(expected.shape), expected, atol=2e-14)


def test_the_kind_plugin_is_refused_with_a_sentence():
    with pytest.raises(ValidationError, match="GET /v1/plugins lists none"):
        spec(model={"kind": "plugin", "name": "relu"}, problem=low_rank([2, 2], 3))
    assert "plugin" not in str(Model)


def test_the_std_of_the_product_is_that_of_its_entries():
    init = {"kind": "gaussian", "std": 0.5, "std_of": "product"}
    model = COMPONENTS | {"factors": {"f1": [30, 4], "f2": [20, 4], "f3": [40, 4]}}
    run = spec(model=model, problem=low_rank([30, 20, 40], 100), init=init)
    product = run.model.multilinear(()).product(run.init.make(run.model, run.problem, 0))
    assert np.std(product) == pytest.approx(0.5, rel=0.3)
    with pytest.raises(ValidationError, match="share no standard deviation"):
        spec(model=SQUARE, problem=low_rank([3, 3], 5), init=init)


@pytest.mark.parametrize(
    ("init", "words"),
    [
        ({"kind": "explicit", "factors": {"a": [[1.0]]}}, "3 rows of 2 numbers"),
        ({"kind": "explicit", "factors": {"a": [[1.0, 2.0]] * 3, "x": [1.0]}}, "no factor 'x'"),
        ({"kind": "explicit", "factors": {"a": [[1.0, 2.0]] * 3}}, "'b' is missing"),
        ({"kind": "gaussian", "std": 0.1, "balanced": True}, "leave balanced out"),
        ({"kind": "gaussian", "std": 0.1, "determinant": "positive"}, "ask for 'any'"),
        ({"kind": "spectral"}, "no spectral start"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(init, words):
    with pytest.raises(ValidationError, match=words):
        spec(model=CHAIN, problem=low_rank([3, 2], 4), init=init)


MIXED = {
    "kind": "contraction",
    "factors": {"f": [2, 3, 2], "g": [3], "h": [2, 2]},
    "terms": [{"of": ["f", "g", "h"], "einsum": "irs,r,sj->ij"}],
}
"""A tensor, a vector and a matrix."""


@pytest.mark.parametrize(
    "optimizer",
    [
        {"kind": "gradient_descent", "learning_rate": {"kind": "polyak"}},
        {"kind": "momentum", "learning_rate": 0.02, "beta": 0.9},
        {"kind": "group_rmsprop", "learning_rate": 0.02},
        {"kind": "adam", "learning_rate": {"kind": "cosine", "from": 0.02, "to": 0.01, "steps": 30}},
        {"kind": "gradient_descent", "learning_rate": 0.05, "weight_decay": 0.1, "decay": "decoupled"},
    ],
    ids=str,
)
@pytest.mark.parametrize("further", [{}, {"learning_rate_factors": [1.0, 0.5, 2.0]}, {"frozen": [1]}], ids=str)
def test_factors_of_any_order_descend_as_matrices_of_as_many_numbers_do(optimizer, further):
    """The same contraction with the tensor and the vector as matrices, by one-hot constants that unfold them."""
    unfolded = {
        "kind": "contraction",
        "factors": {"f": [2, 6], "g": [3, 1], "h": [2, 2]},
        "terms": [{"of": ["f", "fold", "g", "one", "h"], "einsum": "ik,krs,rt,t,sj->ij"}],
        "constants": {"fold": np.eye(6).reshape(6, 3, 2).tolist(), "one": [1.0]},
    }
    start = {"f": np.linspace(0.1, 1.2, 12), "g": np.array([0.5, -0.3, 0.8]), "h": np.array([[1.0, 0.2], [0.3, -0.7]])}
    shapes = [MIXED["factors"], unfolded["factors"]]
    runs = [
        spec(
            model=model,
            problem=low_rank([2, 2], 3),
            init={"kind": "explicit", "factors": {k: start[k].reshape(s).tolist() for k, s in of.items()}},
            optimizer=optimizer | further,
        )
        for model, of in zip((MIXED, unfolded), shapes, strict=True)
    ]
    ours, theirs = (run_whole(run).progress[0].checkpoint.state for run in runs)
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(ours[:19], theirs[:19], rtol=1e-7, atol=1e-9)
    together = run_whole(runs[0], runs[0].model_copy(update={"seed": 5})).progress[0].checkpoint.state
    np.testing.assert_array_equal(ours, together)
