"""Draws: numpy's bits, exact formulas, distributions by chi-square, and the same draws however they are cut."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from workers.runs.draws import (
    DISTRIBUTIONS,
    Normal,
    Rademacher,
    Stream,
    indices_below,
)
from workers.runs.minibatches import Minibatches
from workers.runs.noise import Batch
from workers.runs.normals import logarithm, normal_of

LIKELY = 1e-4
"""A p-value below this would be a fault; the seeds are fixed, so the outcome is, too."""

NORMAL_BITS = [
    *("-0x1.22cd198aad6f0p+1", "-0x1.67147405be6f1p-1", "-0x1.380f15f728cdfp+0"),
    *("0x1.4c209a0cbd7dap-3", "0x1.86e90d5955c4bp-8", "-0x1.2e1078a9d8195p-1"),
]
FAR_BITS = "-0x1.06b48528cea51p+3"

seeds = st.integers(0, 2**64 - 1)
steps = st.integers(0, 2**53 - 1)


def philox(step, words_per_step, seed, stream, count):
    """The words of `count` steps, by numpy alone."""
    blocks = -(-words_per_step // 4)
    counter, key = [step * blocks % 2**64, step * blocks >> 64, 0, 0], [seed, stream]
    generator = np.random.Philox(counter=np.array(counter, np.uint64), key=np.array(key, np.uint64))
    drawn = generator.random_raw(4 * blocks * count)
    return drawn.reshape(count, -1)[:, :words_per_step]


@given(seeds, st.integers(0, 5), steps, st.integers(1, 9), st.integers(1, 5))
def test_words_are_those_of_numpy_s_philox(seed, stream, step, words, count):
    np.testing.assert_array_equal(
        Stream(seed, stream, words).words(step, count), philox(step, words, seed, stream, count)
    )


def test_words_are_those_of_random_123():
    """The known answer of Philox4x64-10 for the counter 0 and the key 0; numpy counts up before it draws."""
    expected = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    before = np.full(4, 2**64 - 1, dtype=np.uint64)
    drawn = np.random.Philox(counter=before, key=np.zeros(2, dtype=np.uint64)).random_raw(4)
    assert drawn.tolist() == expected


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
@given(seeds, st.integers(1, 150), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 10**6))
def test_draws_do_not_depend_on_how_they_are_cut(kind, seed, per_step, cuts, step):
    whole = DISTRIBUTIONS[kind](seed, 0, per_step).draws(step, sum(cuts))
    parts, again, at = [], DISTRIBUTIONS[kind](seed, 0, per_step), step
    for count in cuts:
        parts.append(again.draws(at, count))
        at += count
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@given(seeds, st.integers(1, 12), st.integers(1, 12), st.booleans(), st.integers(0, 1000))
def test_batches_do_not_depend_on_how_they_are_cut(seed, samples, size, replacement, step):
    batch = Batch(size=min(size, samples), replacement=replacement)
    whole = Minibatches(batch, seed, samples).shares(step, 9)
    cut = Minibatches(batch, seed, samples)
    parts = [cut.shares(step, 2), cut.shares(step + 2, 1), cut.shares(step + 3, 6)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_allclose(whole.sum(axis=1), samples, rtol=1e-12)


@given(seeds, st.integers(1, 12), st.integers(1, 12), st.integers(0, 50))
def test_an_epoch_without_replacement_has_every_sample_once(seed, samples, size, epoch):
    size = min(size, samples)
    steps_of_epoch = -(-samples // size)
    shares = Minibatches(Batch(size=size), seed, samples).shares(epoch * steps_of_epoch, steps_of_epoch)
    assert ((shares > 0).sum(axis=0) == 1).all()
    sizes = (shares > 0).sum(axis=1)
    assert sizes[:-1].tolist() == [size] * (steps_of_epoch - 1)
    assert sizes[-1] == samples - size * (steps_of_epoch - 1)


def test_normal_numbers_are_the_inverse_distribution_function():
    words = np.random.default_rng(0).integers(0, 2**64 - 1, 20_000, dtype=np.uint64, endpoint=True)
    words[:6] = 0, 2**64 - 1, 2**63, 2**63 - 1, 2**30, 2**40
    exact = [NormalDist().inv_cdf((int(word) // 2**12 + 0.5) / 2**52) for word in words]
    np.testing.assert_allclose(normal_of(words), exact, rtol=2e-15, atol=1e-16)


def test_normal_numbers_have_these_bits():
    """On every machine and with every version of numpy: only operations that IEEE 754 rounds alike are used."""
    drawn = Normal(0, 0, 6).draws(0, 1)[0]
    assert [value.hex() for value in drawn.tolist()] == NORMAL_BITS
    assert normal_of(np.array([7], dtype=np.uint64)).item().hex() == FAR_BITS


def test_the_logarithm_is_within_two_units_of_rounding():
    at = np.concatenate([np.random.default_rng(0).random(20_000), 2.0 ** np.arange(-52.0, 1.0)])
    np.testing.assert_allclose(logarithm(at), np.log(at), rtol=5e-16)


def test_normal_draws_are_normal_by_chi_square():
    drawn = Normal(3, 0, 100).draws(5, 2000).ravel()
    cells = np.array([NormalDist().cdf(value) for value in drawn]) * 100
    assert chisquare(np.bincount(cells.astype(int), minlength=100)).pvalue > LIKELY
    pairs = (cells[:-1].astype(int) // 10) * 10 + cells[1:].astype(int) // 10
    assert chisquare(np.bincount(pairs, minlength=100)).pvalue > LIKELY


def test_signs_are_fair_and_independent_by_chi_square():
    drawn = Rademacher(3, 0, 100).draws(5, 2000) > 0
    patterns = drawn.reshape(-1, 5) @ (2 ** np.arange(5))
    assert chisquare(np.bincount(patterns, minlength=32)).pvalue > LIKELY
    assert chisquare(drawn.sum(axis=0)).pvalue > LIKELY  # of every index over the steps


@pytest.mark.parametrize("replacement", [False, True])
def test_batches_are_uniform_by_chi_square(replacement):
    samples = 5
    shares = Minibatches(Batch(size=2, replacement=replacement), 1, samples).shares(0, 30_000)
    sizes = 2 if replacement else (shares > 0).sum(axis=1)[:, None]
    counts = np.rint(shares * sizes / samples)
    assert chisquare(counts.sum(axis=0)).pvalue > LIKELY
    first = counts[:: 1 if replacement else 3] @ (3.0 ** np.arange(samples))  # the first batch of an epoch
    _, seen = np.unique(first, return_counts=True)
    expected = None
    if replacement:
        expected = np.array([1 if value in 2 * 3.0 ** np.arange(samples) else 2 for value in np.unique(first)])
        expected = expected * seen.sum() / expected.sum()
    assert len(seen) == (15 if replacement else 10)
    assert chisquare(seen, expected).pvalue > LIKELY


def test_indices_reach_both_ends():
    words = np.array([0, 2**64 - 1], dtype=np.uint64)
    for most in (1, 3, 7, 2**20, 10**6):
        assert indices_below(words, most).tolist() == [0, most - 1]


def test_seeds_and_streams_draw_differently():
    first = Stream(0, 0, 4).words(0, 1).tolist()
    others = [
        Stream(seed, stream, 4).words(0, 1).tolist() for seed, stream in ((1, 0), (0, 1), (2**64, 0), (2**64 + 1, 0))
    ]
    assert len({str(one) for one in (first, *others)}) == 5
