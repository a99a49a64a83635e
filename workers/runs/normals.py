"""Standard normal numbers of words of 64 bits, with the same bits on every machine.

Only sums, products, quotients and square roots are used, which IEEE 754 rounds alike everywhere, in the order that is
written here.
"""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

_HALF, _LAST_CENTRAL = 0.5, 0.425

# Wichura's AS 241 (1988), PPND16: numerator and denominator of each region, from the constant term on.
CENTRAL = (
    (
        *(3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4),
        *(4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    ),
    (
        *(1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3),
        *(2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
    ),
)
MIDDLE = (
    (
        *(1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0),
        *(1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    ),
    (
        *(1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1),
        *(1.48103976427480074590e-1, 1.51986665636165571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
    ),
)
FAR = (
    (
        *(6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1),
        *(2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    ),
    (
        *(1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2),
        *(7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
    ),
)


def normal_of(words: Words) -> Array:
    """Standard normal numbers of words, in their shape.

    The inverse distribution function (Wichura 1988, AS 241) at u = (k + 1/2) 2^-52, k the upper 52 bits; every u is
    exact, and so is its distance to 1/2 and to the nearer end of (0, 1).
    """
    distance = ((words >> np.uint64(12)).astype(np.float64) + _HALF) * 2.0**-52 - _HALF
    values = distance * _ratio(CENTRAL, 0.180625 - distance * distance)
    outer = np.abs(distance) > _LAST_CENTRAL
    values[outer] = np.copysign(_in_tail(_HALF - np.abs(distance[outer])), distance[outer])
    return values


def _in_tail(probability: Array) -> Array:
    """The size of the normal number that is exceeded with a probability below 0.075."""
    root = np.sqrt(-logarithm(probability))
    values = _ratio(MIDDLE, root - 1.6)
    far = root > 5
    if far.any():
        values[far] = _ratio(FAR, root[far] - 5)
    return values


def _ratio(coefficients: tuple[Sequence[float], Sequence[float]], at: Array) -> Array:
    above, below = (_polynomial(of, at) for of in coefficients)
    return np.divide(above, below, out=above)


def _polynomial(coefficients: Sequence[float], at: Array) -> Array:
    """By Horner's rule; a product and a sum are rounded each."""
    value = at * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        value += coefficient
        value *= at
    value += coefficients[0]
    return value


ROOT_OF_HALF = sqrt(_HALF)
LOGARITHM_OF_2 = 0.6931471805599453
SERIES = tuple(2 / (2 * number + 1) for number in range(12))
"""log((1 + z) / (1 - z)) = 2 z + 2 z^3 / 3 + ...; |z| is at most 0.172, so the terms left out are below 1e-19."""


def logarithm(at: Array) -> Array:
    """The natural logarithm of positive normal numbers, within a few units of rounding."""
    fraction, exponent = np.frexp(at)
    low = fraction < ROOT_OF_HALF
    fraction, exponent = np.where(low, fraction * 2, fraction), exponent - low
    z = (fraction - 1) / (fraction + 1)
    return exponent * LOGARITHM_OF_2 + z * _polynomial(SERIES, z * z)
