"""Every metric of singular values over the range of floats, against exact arithmetic.

A metric that is added to the catalogue belongs into the table in spectra.py; until then a test fails.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from tests.helpers.exact import is_rounded
from tests.properties.spectra import OF_SPECTRA
from workers.lab.metrics import spectrum
from workers.lab.metrics.spectrum import Spectrum

SIZES = st.one_of(st.just(0.0), st.integers(-300, 300).flatmap(lambda e: st.floats(1, 9.9).map(lambda m: m * 10.0**e)))


@st.composite
def spectra(draw):
    width, rows = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    values = [sorted(draw(st.lists(SIZES, min_size=width, max_size=width)), reverse=True) for _ in range(rows)]
    ranks = [draw(st.integers(0, width)) for _ in range(rows)]
    return values, ranks, [draw(st.integers(1, 1000)) for _ in range(rows)]


def measured_spectra(name, values, ranks, depths):
    exponents = torch.tensor([2.0 / depth for depth in depths], dtype=torch.float64)
    return spectrum.FORMULAS[name](Spectrum(torch.tensor(values, dtype=torch.float64), torch.tensor(ranks), exponents))


def test_every_formula_of_spectra_is_here():
    assert set(OF_SPECTRA) == set(spectrum.FORMULAS)


@pytest.mark.parametrize("name", OF_SPECTRA)
@given(drawn=spectra())
def test_spectra_of_any_size(name, drawn):
    values, ranks, depths = drawn
    measured = measured_spectra(name, values, ranks, depths)
    for row, (s, rank, depth) in enumerate(zip(values, ranks, depths, strict=True)):
        right = OF_SPECTRA[name]([mpf(v) for v in s], rank, mpf(2.0 / depth))
        relative = 1e-12 * max(1, depth if name == "schatten_quasi_norm" else 1)
        pairs = zip(measured[row].flatten().tolist(), right if isinstance(right, list) else [right], strict=True)
        assert all(is_rounded(f, r, relative) for f, r in pairs), (s, rank, depth, measured[row], right)
        alone = measured_spectra(name, [s], [rank], [depth])
        assert torch.equal(alone[0].nan_to_num(), measured[row].nan_to_num())
