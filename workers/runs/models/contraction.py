"""Any sum of contractions of factors, as data: names, shapes, and the subscripts of numpy's einsum."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from workers.runs.base import Count, Listed, nested_numbers
from workers.runs.contractions.checks import check_contraction
from workers.runs.contractions.multilinear import MOST_TERMS, Multilinear, Term
from workers.runs.models.resolved import ResolvedModel
from workers.runs.named import Named, to_named
from workers.runs.shapes import HIGHEST_ORDER

FactorShape = Annotated[tuple[Count, ...], Listed, Field(min_length=1, max_length=HIGHEST_ORDER)]
Constant = Annotated[tuple[Any, ...], Listed, BeforeValidator(nested_numbers)]


class Contraction(ResolvedModel, frozen=True):
    """W = sum of terms, each a contraction of named factors and constants written as for numpy.einsum, with a sign.

    Factors are first to last in the order in which the terms name them. A name may stand twice in a term and in several
    terms: U U^T - V V^T has the terms "ir,jr->ij" of [u, u] and of [v, v]. A product of one letter is a vector, which
    fits a problem with a single row. Constants are not trained. Nothing but the sums and products is ever executed.

    Attributes:
        factors: the shape of each factor by its name.
        terms: what is summed.
        constants: nested numbers by name.
    """

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "contraction",
        "factors": {"u": [2, 3], "v": [2, 1]},
        "terms": [{"of": ["u", "u"], "einsum": "ir,jr->ij"}, {"of": ["v", "v"], "einsum": "ir,jr->ij", "sign": -1}],
    }
    further_examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {
            "kind": "contraction",
            "factors": {"left": [2, 2], "right": [2, 3]},
            "terms": [{"of": ["base"], "einsum": "ij->ij"}, {"of": ["left", "right"], "einsum": "ir,rj->ij"}],
            "constants": {"base": [[0.5, 0.0, -0.25], [0.125, 1.0, 0.0]]},
        },
        {
            "kind": "contraction",
            "factors": {"f1": [2, 2], "f2": [3, 2], "f3": [2, 2], "top": [2, 2]},
            "terms": [{"of": ["f1", "f2", "top", "f3"], "einsum": "ir,jr,rs,ks->ijk"}],
        },
    )

    kind: Literal["contraction"]
    factors: Annotated[dict[str, FactorShape], Field(min_length=1), AfterValidator(to_named)]
    terms: Annotated[tuple[Term, ...], Listed, Field(min_length=1, max_length=MOST_TERMS)]
    constants: Annotated[dict[str, Constant], AfterValidator(to_named)] = Field(default_factory=Named)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        check_contraction(self.factors, self.constants, self.terms)
        return self

    def resolve(self, shape: Sequence[int]) -> Multilinear:
        constants = {name: np.array(constant, dtype=np.float64) for name, constant in self.constants.items()}
        return Multilinear(self.factors, self.terms, constants)

    def check_shape(self, shape: Sequence[int]) -> None:
        self.check_product(shape, ("model", "terms", 0, "einsum"))

    def label(self) -> str:
        return " + ".join(term["einsum"] if isinstance(term, dict) else term.einsum for term in self.terms)
