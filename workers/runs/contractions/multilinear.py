"""Sums of signed contractions of named factors and constants: what every model of this family computes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field

from workers.runs.base import Listed, SpecModel, integral
from workers.runs.contractions.invariants import Invariant, invariants_of
from workers.runs.contractions.paths import TermPath, term_path
from workers.runs.contractions.subscripts import Subscripts, parse, sizes_of

Array = npt.NDArray[np.float64]
Shape = tuple[int, ...]

MOST_OPERANDS = 64
"""Most operands of a term: a path is looked for among all orders of contracting them."""

MOST_TERMS = 64
"""Most terms of a sum."""

MOST_CHARACTERS = 1000
"""Longest subscripts: 64 operands of a tensor's highest order are shorter."""


class Term(SpecModel, frozen=True):
    """A contraction of factors and constants, added to the product or subtracted from it.

    `of` names the operands in the order of their letters in `einsum`; a name may stand there several times.
    """

    of: Annotated[tuple[str, ...], Listed, Field(min_length=1, max_length=MOST_OPERANDS)]
    einsum: Annotated[str, Field(max_length=MOST_CHARACTERS)]
    sign: Annotated[Literal[1, -1], BeforeValidator(integral)] = 1


@dataclass(frozen=True, eq=False)
class Multilinear:
    """A sum of terms, whose names and letters fit together (see `workers.runs.contractions.checks`).

    Attributes:
        shapes: of the factors, by name; each is in some term.
        terms: of the sum.
        constants: arrays by name.
    """

    shapes: Mapping[str, Shape]
    terms: tuple[Term, ...]
    constants: Mapping[str, Array]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the factors, first to last: in the order in which the terms name them."""
        named = dict.fromkeys(name for term in self.terms for name in term.of)
        return tuple(name for name in named if name in self.shapes)

    @cached_property
    def factor_shapes(self) -> tuple[Shape, ...]:
        """Shapes of the factors, first to last."""
        return tuple(self.shapes[name] for name in self.names)

    @cached_property
    def subscripts(self) -> tuple[Subscripts, ...]:
        """The letters of each term."""
        return tuple(parse(term.einsum) for term in self.terms)

    @cached_property
    def sizes(self) -> tuple[dict[str, int], ...]:
        """The sizes of the letters of each term."""
        shapes = {**self.shapes, **{name: constant.shape for name, constant in self.constants.items()}}
        pairs = zip(self.subscripts, self.terms, strict=True)
        return tuple(sizes_of(subscripts, term.of, shapes) for subscripts, term in pairs)

    @cached_property
    def shape(self) -> Shape:
        """Shape of the product."""
        return tuple(self.sizes[0][letter] for letter in self.subscripts[0].output)

    @cached_property
    def paths(self) -> tuple[TermPath, ...]:
        """The order in which the operands of each term are contracted."""
        return tuple(
            term_path(subscripts, sizes, [name in self.shapes for name in term.of])
            for subscripts, sizes, term in zip(self.subscripts, self.sizes, self.terms, strict=True)
        )

    @cached_property
    def invariants(self) -> tuple[Invariant, ...]:
        """What a gradient flow conserves, whatever the loss."""
        return invariants_of(self.names, self.factor_shapes, self.terms, self.subscripts)

    @property
    def depth(self) -> int:
        """The most factors of a term; a factor that occurs twice counts twice."""
        return max(sum(name in self.shapes for name in term.of) for term in self.terms)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of the product and of its gradient in the factors."""
        return sum(path.multiply_adds for path in self.paths)

    @property
    def intermediate_numbers(self) -> int:
        """Numbers between the factors and the product that an evaluation keeps in memory, constants included."""
        constants = sum(constant.size for constant in self.constants.values())
        return constants + sum(path.numbers for path in self.paths)

    @property
    def repeats_a_factor(self) -> bool:
        """Whether some factor occurs twice in a term, so that the product is not linear in it."""
        counts = (Counter(name for name in term.of if name in self.shapes) for term in self.terms)
        return any(count > 1 for counted in counts for count in counted.values())

    def product(self, factors: Sequence[Array]) -> Array:
        """The product of factors, first to last, by numpy."""
        operands = {**self.constants, **dict(zip(self.names, factors, strict=True))}
        parts = (
            term.sign * np.einsum(term.einsum, *(operands[name] for name in term.of), optimize=True)
            for term in self.terms
        )
        return np.asarray(sum(parts), dtype=np.float64)
