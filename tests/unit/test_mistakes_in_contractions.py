"""What is refused of a contraction and of its named forms, and where the mistake is."""

import pytest
from pydantic import ValidationError

from tests.helpers.contractions import BASE, CHAIN, low_rank, spec
from workers.runs.models import Model
from workers.runs.models.contraction import Contraction


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


def test_the_kind_plugin_is_refused_with_a_sentence():
    with pytest.raises(ValidationError, match="GET /v1/plugins lists none"):
        spec(model={"kind": "plugin", "name": "relu"}, problem=low_rank([2, 2], 3))
    assert "plugin" not in str(Model)


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


@pytest.mark.parametrize(
    ("model", "shape", "pointer", "words"),
    [
        ({"kind": "hierarchical_tensor", "widths": [3]}, [2, 2, 2], ["model", "widths"], "needs 2 widths and 1 are"),
        ({"kind": "tucker", "ranks": [3, 2]}, [2, 2, 2], ["model", "ranks"], "needs 3 ranks and 2 are"),
        ({"kind": "tensor_train", "ranks": [3, 2, 1]}, [2, 2, 2], ["model", "ranks"], "needs 2 ranks and 3 are"),
        ({"kind": "symmetric_tensor"}, [2, 3, 2], ["model", "kind"], "use a cp_tensor"),
        ({"kind": "tubal"}, [2, 3], ["model", "kind"], "use a tensor_train"),
        ({"kind": "tubal", "symmetric": True}, [2, 3, 2], ["model", "symmetric"], "2 x 3; leave this out"),
        ({"kind": "difference"}, [2, 3], ["model", "kind"], "use a deep_matrix"),
        ({"kind": "difference"}, [2, 3, 2], ["model", "kind"], "has two dimensions"),
        ({"kind": "offset", "base": BASE}, [2, 2], ["model", "base"], "This base is 2 x 3 and the problem is 2 x 2"),
        ({"kind": "offset", "base": BASE, "depth": 40}, [2, 3], ["model", "depth"], "fewer than 32 factors"),
    ],
    ids=str,
)
def test_a_form_that_does_not_fit_is_refused(model, shape, pointer, words):
    with pytest.raises(ValidationError, match=words) as raised:
        spec(model=model, problem=low_rank(shape, 3))
    (error,) = raised.value.errors()
    assert error["ctx"]["pointer"] == pointer


@pytest.mark.parametrize("base", [[[1.0, 2.0], [3.0]], [[1.0], 2.0], []])
def test_a_base_that_is_no_matrix_is_refused(base):
    with pytest.raises(ValidationError):
        spec(model={"kind": "offset", "base": base}, problem=low_rank([2, 2], 3))
