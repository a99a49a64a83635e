"""Contractions: products, paths, and agreement with the engines of other models."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.helpers.contractions import CHAIN, COMPONENTS, FLOW, SQUARE, TREE, TREE_FACTORS, TREE_PRODUCT, low_rank, spec
from tests.helpers.specs import run_whole
from workers.lab.models.base import build_model, maths_of
from workers.runs.models.contraction import Contraction

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


def test_the_std_of_the_product_is_that_of_its_entries():
    init = {"kind": "gaussian", "std": 0.5, "std_of": "product"}
    model = COMPONENTS | {"factors": {"f1": [30, 4], "f2": [20, 4], "f3": [40, 4]}}
    run = spec(model=model, problem=low_rank([30, 20, 40], 100), init=init)
    product = run.model.multilinear(()).product(run.init.make(run.model, run.problem, 0))
    assert np.std(product) == pytest.approx(0.5, rel=0.3)
    with pytest.raises(ValidationError, match="share no standard deviation"):
        spec(model=SQUARE, problem=low_rank([3, 3], 5), init=init)


MIXED = {
    "kind": "contraction",
    "factors": {"f": [2, 3, 2], "g": [3], "h": [2, 2]},
    "terms": [{"of": ["f", "g", "h"], "einsum": "irs,r,sj->ij"}],
}
"""A tensor, a vector and a matrix."""


@pytest.mark.slow
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
