"""The functions that losses of the fused engine call, against 40 digits of Python's decimal numbers."""

from decimal import Decimal, localcontext
from string import Template

import numpy as np
import pytest

from workers.lab.engines.fused.source import SCALARS
from workers.lab.engines.fused.text import TYPES, VECTOR_TYPES
from workers.lab.native.building import bound
from workers.lab.native.functions import text_of

NUMBERS = {"float64": np.float64, "float32": np.float32}
CALL = """
$types
constexpr int WIDTH = $lanes;
struct Functions {
    static CUDA_CALLABLE V fused(V a, V b, V c) { return RANKWARD_FUSED(a, b, c); }
    $functions
};
const long long* given = (const long long*)call;
const T* in = (const T*)given[0];
T* out = (T*)given[1];
for (long long n = 0; n < given[2]; n += $lanes) {
    V argument;
    for (int l = 0; l < $lanes; ++l) ((T*)&argument)[l] = in[n + l];
    const V value = Functions::$name(argument$further);
    for (int l = 0; l < $lanes; ++l) out[n + l] = ((T*)&value)[l];
}
"""


def computed(name: str, precision: str, arguments, lanes: int, exponent: float | None = None):
    """The function of many arguments, as the fused engine computes it with so many lanes."""
    further = "" if exponent is None else ", V(*(const T*)given[3])"
    scalar, whole, _ = SCALARS[precision]
    size = np.dtype(NUMBERS[precision]).itemsize
    kinds = {"scalar": scalar, "whole": whole, "lanes": lanes, "vector_bits": 8 * max(32, lanes * size)}
    types = Template(VECTOR_TYPES if lanes > 1 else TYPES).substitute(kinds)
    functions = text_of((name,), precision)
    source = Template(CALL).substitute(types=types, functions=functions, name=name, lanes=lanes, further=further)
    results = np.empty_like(arguments)
    power = np.array([exponent or 0.0], dtype=arguments.dtype)
    addresses = (arguments.ctypes.data, results.ctypes.data, len(arguments), power.ctypes.data)
    bound(source, 1, np.array(addresses, dtype=np.int64))()
    return results


def errors(results, arguments, exact):
    """Distances from the exact values in units of the last place."""
    with localcontext() as context:
        context.prec = 40
        exactly = [exact(Decimal(float(argument))) for argument in arguments]
        units = np.spacing(np.array([float(value) for value in exactly]).astype(results.dtype))
        distances = zip(results, exactly, units, strict=True)
        return np.array(
            [abs(float((Decimal(float(ours)) - value) / Decimal(float(unit)))) for ours, value, unit in distances]
        )


@pytest.mark.parametrize("precision", NUMBERS)
def test_exponentials(precision):
    ends = (-745.0, 709.0) if precision == "float64" else (-103.0, 88.0)
    arguments = np.concatenate([np.linspace(*ends, 4000), np.linspace(-1, 1, 4000), np.logspace(-30, 0, 96)])
    arguments = arguments.astype(NUMBERS[precision])
    results = computed("exp_of", precision, arguments, 4)
    assert errors(results, arguments, Decimal.exp).max() < 1.6
    for lanes in (1, 2, 8):
        assert computed("exp_of", precision, arguments, lanes).tobytes() == results.tobytes()


@pytest.mark.parametrize("precision", NUMBERS)
def test_logarithms_of_numbers_a_little_above_one(precision):
    arguments = np.concatenate([np.linspace(0, 1, 4000), np.logspace(-300, 0, 96), np.logspace(-9, 0, 4000)])
    arguments = arguments.astype(NUMBERS[precision])
    results = computed("log1p_of", precision, arguments, 4)
    assert (
        errors(
            results,
            arguments,
            lambda argument: (1 + argument).ln() if argument > Decimal("1e-15") else argument - argument**2 / 2,
        ).max()
        < 2.5
    )
    for lanes in (1, 2, 8):
        assert computed("log1p_of", precision, arguments, lanes).tobytes() == results.tobytes()


@pytest.mark.parametrize("precision", NUMBERS)
def test_what_has_no_exponential_in_the_finite_numbers(precision):
    arguments = np.array([-np.inf, -1e30, 1e30, np.inf, np.nan, 0.0, -0.0, -800.0], dtype=NUMBERS[precision])
    results = computed("exp_of", precision, arguments, 8)
    assert np.array_equal(results, [0, 0, np.inf, np.inf, np.nan, 1, 1, 0], equal_nan=True)


@pytest.mark.slow
@pytest.mark.parametrize("precision", NUMBERS)
@pytest.mark.parametrize("exponent", [0.125, 0.5, 1.0, 1.5, 2.0, 3.0, 7.25, 99.0])
def test_powers(precision, exponent):
    numbers = np.finfo(precision)
    decades = 0.98 * float(np.log10(float(numbers.max))) / max(1.0, exponent)
    parts = [np.logspace(-decades, decades, 800), np.linspace(0.5, 2, 700), 1 + np.logspace(-15, -1, 96)]
    below = [float(numbers.smallest_subnormal) * 12345, float(numbers.tiny) / 3, float(numbers.tiny), 1.0]
    arguments = np.concatenate([*parts, below if exponent < 1 else [1.0] * 4]).astype(precision)
    results = computed("power_of", precision, arguments, 4, exponent)
    power = Decimal(exponent)
    distances = errors(results, arguments, lambda argument: (power * argument.ln()).exp())
    assert distances.max() < 1.6 + exponent / 128
    for lanes in (1, 2, 8):
        assert computed("power_of", precision, arguments, lanes, exponent).tobytes() == results.tobytes()


@pytest.mark.parametrize("precision", NUMBERS)
def test_powers_at_the_ends_of_the_numbers(precision):
    small, largest = np.finfo(precision).smallest_subnormal, np.finfo(precision).max
    arguments = np.array([0.0, np.inf, np.nan, 1.0, small, 4 * small, largest, 2.0], dtype=precision)
    roots = computed("power_of", precision, arguments, 8, 0.5)
    np.testing.assert_allclose(roots, np.sqrt(arguments), rtol=4 * np.finfo(precision).eps)
    cubes = computed("power_of", precision, arguments, 8, 3.0)
    assert np.array_equal(cubes, [0, np.inf, np.nan, 1, 0, 0, np.inf, 8], equal_nan=True)
    beyond = computed("power_of", precision, arguments, 8, 1e30)
    assert np.array_equal(beyond, [0, np.inf, np.nan, 1, 0, 0, np.inf, np.inf], equal_nan=True)
