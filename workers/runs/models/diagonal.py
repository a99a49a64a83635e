"""Diagonal linear networks: a vector w as a difference of powers, or as a product of vectors, number by number."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from workers.runs.base import Count, misfit
from workers.runs.contractions.multilinear import MOST_OPERANDS, Multilinear, Term
from workers.runs.models.resolved import ResolvedModel


class Diagonal(ResolvedModel, frozen=True):
    """A vector w of a problem with a single row, number by number of L factors (Woodworth and others 2020).

    `difference` is w = u^L - v^L, `product` w = u1 u2 ... uL, which a constant start begins at value^L, and
    `difference_of_products` w = u1 ... uL - v1 ... vL, whose factors need not be alike (Azulay and others 2021).
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "diagonal", "depth": 2}
    further_examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"kind": "diagonal", "depth": 3, "form": "product"},
        {"kind": "diagonal", "depth": 2, "form": "product"},
        {"kind": "diagonal", "depth": 2, "form": "difference_of_products"},
    )

    is_fusable: ClassVar[bool] = True
    fuses_measurements: ClassVar[bool] = True

    kind: Literal["diagonal"]
    depth: Annotated[Count, Field(le=MOST_OPERANDS)]
    form: Literal["difference", "product", "difference_of_products"] = "difference"

    def resolve(self, shape: Sequence[int]) -> Multilinear:
        terms = tuple(self._term(names, sign) for names, sign in self._factors())
        shapes = {name: (shape[-1],) for term in terms for name in term.of}
        return Multilinear(shapes, terms, {})

    def _factors(self) -> list[tuple[tuple[str, ...], Literal[1, -1]]]:
        """The names of each term's factors, and its sign."""
        if self.form == "difference":
            return [(("u",) * self.depth, 1), (("v",) * self.depth, -1)]
        first, second = (tuple(f"{name}{number + 1}" for number in range(self.depth)) for name in "uv")
        return [(first, 1), (second, -1)] if self.form == "difference_of_products" else [(first, 1)]

    def _term(self, names: tuple[str, ...], sign: Literal[1, -1]) -> Term:
        return Term(of=names, einsum=",".join("i" * self.depth) + "->i", sign=sign)

    def check_shape(self, shape: Sequence[int]) -> None:
        if len(shape) != 2 or shape[0] != 1:
            size = " x ".join(map(str, shape))
            raise misfit(
                ("model", "kind"),
                f"A diagonal network is a vector and this problem is {size}; give it a single row, as one output does.",
            )

    def imbalances(self, shape: Sequence[int]) -> tuple[int, ...] | None:
        """The first factor of each pair is the smaller one; at other depths, and of powers, there are no pairs."""
        if self.depth != 2 or self.form == "difference":
            return None
        return (-1, 1) * (2 if self.form == "difference_of_products" else 1)

    def gains(self, shape: Sequence[int]) -> bool:
        """Of a product of two vectors the difference of squares shrinks number by number."""
        return self.depth == 2 and self.form == "product"

    def label(self) -> str:
        return f"diagonal {self.form.replace('_', ' ')}, depth {self.depth}"

    def batch_words(self, shape: Sequence[int]) -> str:
        return f"depth={self.depth} form={self.form}"
