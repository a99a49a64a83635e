"""Ticks: where an axis or a colour bar has marks, and what they say, for the whole range of floats."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import count
from math import ceil, floor, log10

from service.figures.extents import LEAST
from service.figures.picture import Scale
from service.values.digits import told_apart

MOST_TICKS = 7
_WRITTEN_OUT = range(-3, 5)
"""Exponents of numbers that are written without a power of ten."""
_STEPS = ((1, 0), (2, 0), (25, -1), (5, 0))
"""Steps between ticks: a whole number, and the power of ten beside it."""
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_WITHIN_DECADES = (1, 2, 5)
_TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Ticks:
    """Marks of an axis.

    Attributes:
        positions: where they are, ascending.
        texts: what they say, no two alike.
        power: exponent of the power of ten by which all texts are to be multiplied.
    """

    positions: Sequence[float]
    texts: Sequence[str]
    power: int = 0

    @property
    def factored_texts(self) -> list[str]:
        """What each says without a common power of ten beside them."""
        if not self.power:
            return list(self.texts)
        return [f"{text}{times_power_of_ten(self.power)}" if float(text) else text for text in self.texts]


def ticks_of(scale: Scale, low: float, high: float, is_whole: bool = False) -> Ticks:
    """A handful of ticks from `low` to `high`, finite and apart; on a logarithmic scale positive."""
    if scale == "linear":
        return _linear_ticks(linear_positions(low, high, is_whole))
    decades = log10(high) - log10(low)
    if decades >= 2:
        exponents = [int(exponent) for exponent in linear_positions(log10(low), log10(high), is_whole=True)]
        return Ticks(
            [float(f"1e{exponent}") for exponent in exponents], [power_of_ten(exponent) for exponent in exponents]
        )
    positions = within_decades(low, high, _WITHIN_DECADES) if decades >= 1 else linear_positions(low, high)
    return Ticks(positions, [number_text(text) for text in told_apart(positions)])


def linear_positions(low: float, high: float, is_whole: bool = False) -> list[float]:
    """At most MOST_TICKS multiples of a round step, from `low` to `high`; few or none where they are to be whole."""
    least, most = Fraction(low), Fraction(high)
    exponent = floor(log10(high / 2 - low / 2 or LEAST) - log10(MOST_TICKS / 2))
    for shift in count():
        for digits, power in _STEPS:
            step = digits * Fraction(10) ** (power + exponent + shift)
            first, last = ceil(least / step), floor(most / step)
            if last - first < MOST_TICKS and (step.denominator == 1 or not is_whole):
                return list(dict.fromkeys(float(number * step) for number in range(first, last + 1)))
    raise AssertionError("some step is longer than the axis")


def within_decades(low: float, high: float, digits: Sequence[int]) -> list[float]:
    """Multiples of powers of ten from `low` to `high`, ascending."""
    exponents = range(floor(log10(low)), floor(log10(high)) + 1)
    numbers = (float(f"{digit}e{exponent}") for exponent in exponents for digit in digits)
    return [number for number in numbers if low <= number <= high]


def power_of_ten(exponent: int) -> str:
    """A power of ten as it is written in a text."""
    return f"10{str(exponent).translate(_SUPERSCRIPTS)}"


def times_power_of_ten(exponent: int) -> str:
    """What follows numbers that are to be multiplied by a power of ten."""
    return _TIMES + power_of_ten(exponent)


def number_text(text: str) -> str:
    """A number's text with its exponent, if there is one, as a power of ten."""
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}{times_power_of_ten(int(exponent))}" if exponent else mantissa


def _linear_ticks(positions: Sequence[float]) -> Ticks:
    """All with the power of ten of the largest."""
    largest = max(map(abs, positions), default=0.0)
    power = floor(log10(largest)) if largest else 0
    if power in _WRITTEN_OUT:
        power = 0
    scaled = [float(Decimal(repr(position)).scaleb(-power)) for position in positions]
    return Ticks(positions, told_apart([number + 0.0 for number in scaled]), power)
