"""Functions that the losses of the fused engine call, as C++ of vectors: exp, ln(1 + x) and powers.

The first two are sums, products and quotients of whole vectors, each rounded by itself, so that their bits are the same
on every processor and in every lane. Their errors stay within two units in the last place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import factorial, log
from string import Template


@dataclass(frozen=True)
class Format:
    """A format of floating-point numbers.

    Attributes:
        suffix: end of the names of functions of the standard library.
        digits: binary digits after the leading one.
        bias: what is added to an exponent where it is stored.
        high: the leading digits of ln 2, so few that products with an exponent are exact.
        least, most: exp is 0 below the one and infinite above the other.
        exp_terms: the degree of exp's series on |x| <= ln(2) / 2; what follows it is below rounding.
        log_terms: how many terms atanh's series has up to 1 / 3.
    """

    suffix: str
    digits: int
    bias: int
    high: float
    least: float
    most: float
    exp_terms: int
    log_terms: int


FORMATS: Mapping[str, Format] = {
    "float64": Format("", 52, 1023, float.fromhex("0x1.62e42feep-1"), -760.0, 720.0, 13, 17),
    "float32": Format("f", 23, 127, float.fromhex("0x1.62ep-1"), -110.0, 95.0, 7, 8),
}
"""By precision."""

_EXP = """
// exp x = 2^n exp r with n the integer next to x / ln 2: adding 1.5 times 2^digits rounds to it and leaves it in the
// last digits. 2^n is multiplied in two halves, so that results below the normal numbers are rounded once.
static CUDA_CALLABLE V exp_of(V argument) {
    const V least = V(T($least)), most = V(T($most)), shift = V(T($shift));
    V x = argument < least ? least : argument;
    x = x > most ? most : x;
    union { V number; Whole bits; } moved, origin, first, second;
    moved.number = fused(x, V(T($per_ln2)), shift);
    origin.number = shift;
    const V n = moved.number - shift, r = fused(n, V(T(-$low)), fused(n, V(T(-$high)), x));
    V sum = V(T($last));
    $series
    const V value = fused(r * r, sum, r) + V(T(1));
    const Whole exponent = moved.bits - origin.bits, half = exponent >> 1;
    first.bits = (half + $bias) << $digits;
    second.bits = (exponent - half + $bias) << $digits;
    return value * first.number * second.number;
}
"""

_LOG1P = """
// ln(1 + x) = 2 atanh(x / (2 + x)), of x from 0 to 1, by the series of atanh.
static CUDA_CALLABLE V log1p_of(V x) {
    const V part = x / (x + V(T(2))), square = part * part;
    V sum = V(T($last));
    $series
    const V twice = part + part;
    return fused(twice * square, sum, twice);
}
"""

_POWER = """
static CUDA_CALLABLE V power_of(V base, V exponent) {
    for (int l = 0; l < WIDTH; ++l) ((T*)&base)[l] = ::pow$suffix(((T*)&base)[l], ((T*)&exponent)[l]);
    return base;
}
"""


def _series(variable: str, coefficients: list[float]) -> dict[str, object]:
    """Horner's scheme of a polynomial with coefficients from the highest power down."""
    steps = (f"sum = fused(sum, {variable}, V(T({value!r})));" for value in coefficients[1:])
    return {"last": repr(coefficients[0]), "series": "\n    ".join(steps)}


def _exp(of: Format) -> str:
    numbers = {"least": of.least, "most": of.most, "high": of.high, "low": _low(of), "per_ln2": 1 / log(2)}
    series = _series("r", [1 / factorial(power) for power in range(of.exp_terms, 1, -1)])
    exponents = {"shift": 1.5 * 2.0**of.digits, "bias": of.bias, "digits": of.digits}
    return Template(_EXP).substitute(numbers | series | exponents)


def _low(of: Format) -> float:
    """ln 2 - high, from the two leading parts of ln 2 in float64."""
    return (log(2) - of.high) + float.fromhex("0x1.abc9e3b39803fp-56")


def _log1p(of: Format) -> str:
    return Template(_LOG1P).substitute(_series("square", [1 / (2 * k + 1) for k in range(of.log_terms, 0, -1)]))


def _power(of: Format) -> str:
    return Template(_POWER).substitute(suffix=of.suffix)


FUNCTIONS: Mapping[str, Callable[[Format], str]] = {"exp_of": _exp, "log1p_of": _log1p, "power_of": _power}
"""The text of each function."""


def text_of(names: tuple[str, ...], precision: str) -> str:
    """The text of the functions that a loss calls."""
    return "".join(FUNCTIONS[name](FORMATS[precision]) for name in names)
