"""Exact arithmetic for tests: matrices of fractions, and numbers of sixty digits with any exponent."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import inf, isnan, nan
from typing import Any

import numpy as np
from mpmath import mp, mpf

DIGITS = 60
SMALLEST = 2.0**-1022
Matrix = list[list[Fraction]]
mp.dps = DIGITS


def matrix(values: Any) -> Matrix:
    return [[Fraction(float(value)) for value in row] for row in values]


def times(left: Matrix, right: Matrix) -> Matrix:
    columns = list(zip(*right, strict=True))
    return [[sum((a * b for a, b in zip(row, column, strict=True)), Fraction()) for column in columns] for row in left]


def product(factors: Sequence[Matrix]) -> Matrix:
    result = factors[0]
    for factor in factors[1:]:
        result = times(result, factor)
    return result


def transposed(part: Matrix) -> Matrix:
    return [list(row) for row in zip(*part, strict=True)]


def minus(left: Matrix, right: Matrix) -> Matrix:
    return [[a - b for a, b in zip(*rows, strict=True)] for rows in zip(left, right, strict=True)]


def entries(part: Matrix) -> list[Fraction]:
    return [entry for row in part for entry in row]


def number(value: Fraction) -> Any:
    return mpf(value.numerator) / mpf(value.denominator)


def root_of_squares(values: Iterable[Fraction]) -> Any:
    return mp.sqrt(number(sum((value * value for value in values), Fraction())))


def determinant(part: Matrix) -> Fraction:
    if len(part) == 1:
        return part[0][0]
    minors = ([row[:j] + row[j + 1 :] for row in part[1:]] for j in range(len(part)))
    signs = ((-1) ** j * part[0][j] for j in range(len(part)))
    return sum((sign * determinant(minor) for sign, minor in zip(signs, minors, strict=True)), Fraction())


def singular_values(part: Matrix) -> list[Any]:
    """Of a 2 x 2 matrix, largest first: their squares sum to the squared norm, their product is the determinant."""
    squares = sum((entry * entry for entry in entries(part)), Fraction())
    size = abs(determinant(part))
    largest = (mp.sqrt(number(squares + 2 * size)) + mp.sqrt(number(squares - 2 * size))) / 2
    return [largest, number(size) / largest if largest else largest]


def as_float(value: Any) -> float:
    """The nearest float, infinite or 0 beyond their range."""
    if value == 0 or value == mp.inf:
        return float(value)
    logarithm = mp.log(abs(value), 2)
    if logarithm >= 1024:
        return inf if value > 0 else -inf
    return 0.0 if logarithm < -1080 else float(value)


def is_rounded(measured: float, exact: Any, relative: float = 1e-12, absolute: Any = 0) -> bool:
    """Whether a float is an exact number but for rounding; below the range of floats any float there will do."""
    if isinstance(exact, float) and isnan(exact):
        return isnan(measured)
    if isnan(measured):
        return False
    expected = as_float(exact)
    if measured == expected or (np.isinf(measured) and as_float(exact * (1 + relative)) == measured):
        return True
    if np.isinf(measured) or np.isinf(expected):
        return False
    return bool(abs(mpf(measured) - exact) <= relative * abs(exact) + absolute + 4 * SMALLEST)


NOT_A_NUMBER = nan
