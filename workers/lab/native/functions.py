"""Functions that the losses of the fused engine call, as C++ of vectors: exp, ln(1 + x) and powers.

They are sums, products and quotients of whole vectors, each rounded by itself, so that their bits are the same on every
processor and in every lane. Their errors stay within two units in the last place; that of a power grows by a unit at
most for every 128 of the exponent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import factorial, log, sqrt
from string import Template


@dataclass(frozen=True)
class Format:
    """A format of floating-point numbers.

    Attributes:
        digits: binary digits after the leading one.
        bias: what is added to an exponent where it is stored.
        high: the leading digits of ln 2, so few that products with an exponent are exact.
        least, most: exp is 0 below the one and infinite above the other.
        exp_terms: the degree of exp's series on |x| <= ln(2) / 2; what follows it is below rounding.
        log_terms: how many terms atanh's series has up to 1 / 3.
        power_terms: how many it has after the first up to 3 - 2 sqrt(2).
    """

    digits: int
    bias: int
    high: float
    least: float
    most: float
    exp_terms: int
    log_terms: int
    power_terms: int


FORMATS: Mapping[str, Format] = {
    "float64": Format(52, 1023, float.fromhex("0x1.62e42feep-1"), -760.0, 720.0, 13, 17, 10),
    "float32": Format(23, 127, float.fromhex("0x1.62ep-1"), -110.0, 95.0, 7, 8, 5),
}
"""By precision."""

_EXP_OF_SUM = """
// exp(argument + rest), of a rest below rounding of the argument. exp x = 2^n exp r with n the integer next to
// x / ln 2: adding 1.5 times 2^digits rounds to it and leaves it in the last digits. 2^n is multiplied in two halves,
// so that results below the normal numbers are rounded once.
static CUDA_CALLABLE V exp_of_sum(V argument, V rest) {
    const V least = V(T($least)), most = V(T($most)), shift = V(T($shift));
    const V small = ((argument > least) & (argument < most)) ? rest : V(T(0));
    V x = argument < least ? least : argument;
    x = x > most ? most : x;
    union { V number; Whole bits; } moved, origin, first, second;
    moved.number = fused(x, V(T($per_ln2)), shift);
    origin.number = shift;
    const V n = moved.number - shift, r = fused(n, V(T(-$low)), fused(n, V(T(-$high)), x)) + small;
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

_EXP = """
static CUDA_CALLABLE V exp_of(V argument) { return exp_of_sum(argument, V(T(0))); }
"""

_POWER = """
// base^exponent = exp(exponent ln base), of a base from 0 on and a positive exponent; ln base is a sum of two numbers.
// With base = 2^n m, m from sqrt(1/2) to sqrt 2, ln m = 2 atanh((m - 1) / (m + 1)), whose quotient is a sum, too.
static CUDA_CALLABLE V power_of(V base, V exponent) {
    const V zero = V(T(0)), unit = V(T(1)), shift = V(T($shift));
    const V scaled = base < V(T($normal)) ? base * V(T($scale)) : base;
    union { V number; Whole bits; } whole, part, count;
    whole.number = scaled;
    const Whole n_bits = (whole.bits - $root_bits) >> $digits;
    part.bits = whole.bits - (n_bits << $digits);
    count.number = shift;
    count.bits = count.bits + n_bits;
    const V n = (count.number - shift) - (base < V(T($normal)) ? V(T($scale_exponent)) : zero);
    const V m = part.number, above = m - unit, sum_of = m + unit, lost = m - (sum_of - unit);
    const V f = above / sum_of, f_rest = (fused(-f, sum_of, above) - f * lost) / sum_of, square = f * f;
    V sum = V(T($last));
    $series
    const V twice = f + f, high = n * V(T($high)), leading = high + twice;
    V rest = fused(n, V(T($low)), fused(twice * square, sum, f_rest + f_rest)) + ((high - leading) + twice);
    const V logarithm = leading + rest;
    rest = rest - (logarithm - leading);
    const V product = exponent * logarithm, product_rest = fused(exponent, logarithm, -product) + exponent * rest;
    const V value = exp_of_sum(product, product_rest);
    return base > zero ? (base <= V(T($largest)) ? value : base) : base;
}
"""


def _series(variable: str, coefficients: list[float]) -> dict[str, object]:
    """Horner's scheme of a polynomial with coefficients from the highest power down."""
    steps = (f"sum = fused(sum, {variable}, V(T({value!r})));" for value in coefficients[1:])
    return {"last": repr(coefficients[0]), "series": "\n    ".join(steps)}


def _exp_of_sum(of: Format) -> str:
    numbers = {"least": of.least, "most": of.most, "high": of.high, "low": _low(of), "per_ln2": 1 / log(2)}
    series = _series("r", [1 / factorial(power) for power in range(of.exp_terms, 1, -1)])
    exponents = {"shift": _shift(of), "bias": of.bias, "digits": of.digits}
    return Template(_EXP_OF_SUM).substitute(numbers | series | exponents)


def _shift(of: Format) -> float:
    return 1.5 * 2.0**of.digits


def _low(of: Format) -> float:
    """ln 2 - high, from the two leading parts of ln 2 in float64."""
    return (log(2) - of.high) + float.fromhex("0x1.abc9e3b39803fp-56")


def _log1p(of: Format) -> str:
    return Template(_LOG1P).substitute(_series("square", [1 / (2 * k + 1) for k in range(of.log_terms, 0, -1)]))


def _power(of: Format) -> str:
    series = _series("square", [1 / (2 * k + 3) for k in range(of.power_terms - 1, -1, -1)])
    # The root's digits after the leading one, below the exponent of the numbers from 1/2 to 1.
    root_bits = ((of.bias - 1) << of.digits) + int((sqrt(2) - 1) * 2.0**of.digits)
    scale = {"normal": 2.0 ** (1 - of.bias), "scale": 2.0 ** (of.digits + 2), "scale_exponent": of.digits + 2}
    numbers = {"high": of.high, "low": _low(of), "largest": (2 - 2.0**-of.digits) * 2.0**of.bias}
    bits = {"shift": _shift(of), "digits": of.digits, "root_bits": root_bits}
    return Template(_POWER).substitute(series | scale | numbers | bits)


FUNCTIONS: Mapping[str, Callable[[Format], str]] = {
    "exp_of_sum": _exp_of_sum,
    "exp_of": lambda _: _EXP,
    "log1p_of": _log1p,
    "power_of": _power,
}
"""The text of each function."""

NEEDED: Mapping[str, tuple[str, ...]] = {"exp_of": ("exp_of_sum",), "power_of": ("exp_of_sum",)}
"""Functions that a function calls."""


def text_of(names: tuple[str, ...], precision: str) -> str:
    """The text of the functions that a loss calls, after those that they call."""
    every = dict.fromkeys(part for name in names for part in (*NEEDED.get(name, ()), name))
    return "".join(FUNCTIONS[name](FORMATS[precision]) for name in every)
