"""Products that round alike alone and in a batch, wherever in memory a matrix begins."""

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.lab.products import multiply

SIZES = st.sampled_from([1, 1, 2, 3, 5, 8, 10, 16, 17, 31, 64, 100, 256, 333])
DTYPES = st.sampled_from([torch.float64, torch.float32])


def batch(runs: int, rows: int, columns: int, transposed: bool, offset: int, dtype: torch.dtype) -> torch.Tensor:
    flat = torch.randn(offset + runs * rows * columns, dtype=dtype)[offset:]
    return flat.view(runs, columns, rows).mT if transposed else flat.view(runs, rows, columns)


def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return multiply(left, right, left.new_empty(len(left), left.shape[1], right.shape[2]))


@settings(max_examples=150)
@given(st.integers(2, 4), SIZES, SIZES, SIZES, st.tuples(st.booleans(), st.booleans()), st.integers(0, 5), DTYPES)
def test_alone_equals_batched(runs, rows, inner, columns, transposed, offset, dtype):
    torch.manual_seed(rows + inner + columns)
    left = batch(runs, rows, inner, transposed[0], offset, dtype)
    right = batch(runs, inner, columns, transposed[1], offset, dtype)
    together = product(left, right)
    torch.testing.assert_close(together, left @ right)
    for run in range(runs):
        assert torch.equal(product(left[run : run + 1], right[run : run + 1])[0], together[run])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("sizes", [(300, 300, 300), (513, 257, 411), (64, 700, 64), (1, 90_000, 1), (600, 600, 1)])
def test_alone_equals_batched_for_large_products(sizes, dtype):
    """MKL would share a single product between threads, and round it by their number on some processors."""
    rows, inner, columns = sizes
    torch.manual_seed(0)
    left, right = batch(2, rows, inner, False, 0, dtype), batch(2, inner, columns, True, 0, dtype)
    assert torch.equal(product(left, right)[:1], product(left[:1], right[:1]))


def test_the_laboratory_computes_on_a_single_thread():
    """In a new process, which is told another number: that of the tests may have been told this one."""
    code = "import workers.lab.products, torch; print(torch.get_num_threads())"
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout.strip()
        == b"1"
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_multiply_add_rounds_alike_wherever_it_stands(dtype):
    """Steps of optimisers rest on this: runs stand anywhere in the flat vector, at its end too."""
    torch.manual_seed(0)
    numbers, slopes, rates = torch.randn(3, 5000, dtype=dtype)
    whole = torch.addcmul(numbers, slopes, rates)
    for begin in range(17):
        for end in [*range(begin + 1, begin + 70), 4001]:
            part = torch.addcmul(numbers[begin:end], slopes[begin:end], rates[begin:end])
            assert torch.equal(part, whole[begin:end])
