"""What a gradient flow conserves for a sum of contractions, whatever the loss.

Slice v of a factor along one of its dimensions may be multiplied by a number. Where such scalings cancel in every term,
the product stays, and by Noether's theorem a flow conserves the sum of the slices' squared norms, each times the
exponent of its scaling (Du, Hu, Lee 2018; Razin, Maman, Cohen 2022). A letter of three factors gives two differences of
squared norms; a letter of a factor that occurs twice gives none. Where a letter joins two factors and nothing else, not
even the product, any matrix may be put between them with its inverse, and the flow conserves the difference of the two
Gram matrices, whose diagonal the difference of squared norms is (Arora, Cohen, Hazan 2018).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Protocol

from workers.runs.contractions.subscripts import Subscripts

Axis = tuple[int, int]
"""A dimension of a factor: the number of the factor, and that of the dimension."""


class _Term(Protocol):
    @property
    def of(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Invariant:
    """A sum, each part times its weight, that a flow conserves: of squared norms of slices, or of Gram matrices.

    Attributes:
        parts: dimensions of factors, with their weights.
        is_gram: whether the parts are Gram matrices of the slices, (size, size); otherwise squared norms, (size,).
    """

    parts: tuple[tuple[Axis, int], ...]
    is_gram: bool


def invariants_of(
    names: Sequence[str], shapes: Sequence[Sequence[int]], terms: Sequence[_Term], subscripts: Sequence[Subscripts]
) -> tuple[Invariant, ...]:
    """The invariants of a sum of terms.

    Args:
        names, shapes: of the factors, first to last.
    """
    axes = [(factor, dimension) for factor, shape in enumerate(shapes) for dimension in range(len(shape))]
    letters = list(_letters(names, terms, subscripts))
    solutions = _null_space([[letter.axes[axis] for axis in axes] for letter in letters], len(axes))
    invariants: list[Invariant] = []
    for weights in solutions:
        parts = tuple((axis, weight) for axis, weight in zip(axes, weights, strict=True) if weight)
        invariants.append(Invariant(parts, _joins_freely(parts, letters)))
    return tuple(invariants)


@dataclass(frozen=True)
class _Letter:
    """A letter of a term: how often each dimension of a factor has it, and how many operands, or the product, do."""

    axes: Counter[Axis]
    operands: int
    in_output: bool


def _letters(names: Sequence[str], terms: Sequence[_Term], subscripts: Sequence[Subscripts]) -> Sequence[_Letter]:
    number_of: Mapping[str, int] = {name: number for number, name in enumerate(names)}
    found: list[_Letter] = []
    for term, written in zip(terms, subscripts, strict=True):
        for letter in dict.fromkeys("".join(written.operands)):
            holders = [
                (name, letters.index(letter))
                for name, letters in zip(term.of, written.operands, strict=True)
                if letter in letters
            ]
            axes = Counter((number_of[name], dimension) for name, dimension in holders if name in number_of)
            found.append(_Letter(axes, len(holders), letter in written.output))
    return found


def _joins_freely(parts: Sequence[tuple[Axis, int]], letters: Sequence[_Letter]) -> bool:
    """Whether two dimensions are joined by letters that nothing else has."""
    if sorted(weight for _, weight in parts) != [-1, 1]:
        return False
    pair = Counter(axis for axis, _ in parts)
    meeting = [letter for letter in letters if not pair.keys().isdisjoint(letter.axes)]
    return all(letter.axes == pair and letter.operands == 2 and not letter.in_output for letter in meeting)


def _null_space(rows: Sequence[Sequence[int]], width: int) -> list[list[int]]:
    """A basis of the integer vectors that all rows are orthogonal to; each is 0 at all free positions but one."""
    reduced, pivots = _reduced([[Fraction(number) for number in row] for row in rows], width)
    basis: list[list[int]] = []
    for free in (position for position in range(width) if position not in pivots):
        vector = [Fraction(int(position == free)) for position in range(width)]
        for row, pivot in zip(reduced, pivots, strict=False):
            vector[pivot] = -row[free]
        scale = lcm(*(number.denominator for number in vector))
        basis.append([int(number * scale) for number in vector])
    return basis


def _reduced(rows: list[list[Fraction]], width: int) -> tuple[list[list[Fraction]], list[int]]:
    """The reduced echelon form by Gauss and Jordan, and the position of the pivot of each of its rows."""
    pivots: list[int] = []
    for position in range(width):
        at = len(pivots)
        chosen = next((number for number in range(at, len(rows)) if rows[number][position]), None)
        if chosen is None:
            continue
        rows[at], rows[chosen] = rows[chosen], rows[at]
        rows[at] = [number / rows[at][position] for number in rows[at]]
        for number, row in enumerate(rows):
            if number != at and row[position]:
                factor = row[position]
                rows[number] = [mine - factor * theirs for mine, theirs in zip(row, rows[at], strict=True)]
        pivots.append(position)
    return rows, pivots
