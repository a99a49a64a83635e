"""Draws in compiled code have the bits of numpy's, wherever they begin and are written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.specs import spec
from workers.lab.native import draws as native
from workers.lab.native.draws import Filled, fill
from workers.runs.disturbing import batch_shares, gradient_noise, label_noise
from workers.runs.normals import normal_of

DISTURBANCES = {
    "normal labels": (label_noise, {"noise": {"kind": "label", "std": 0.3}}),
    "signs of labels": (label_noise, {"noise": {"kind": "label", "std": 0.3, "distribution": "rademacher"}}),
    "normal gradients": (gradient_noise, {"noise": {"kind": "gradient", "std": 1e-3}}),
    "signs of gradients": (gradient_noise, {"noise": {"kind": "gradient", "std": 1.0, "distribution": "rademacher"}}),
    "orders": (batch_shares, {"batch": {"size": 5}}),
    "single samples": (batch_shares, {"batch": {"size": 1}}),
    "replacement": (batch_shares, {"batch": {"size": 7, "replacement": True}}),
}
PLACES = {
    "in order": lambda numbers: None,
    "elsewhere": lambda numbers: (3 * np.arange(numbers)[::-1] + 1)[:, None].copy(),
    "twice": lambda numbers: np.arange(2 * numbers).reshape(2, -1).T.copy(),
}


def drawn(disturbance, samples, seed):
    """What a run with this disturbance draws, of some samples and as many trained numbers."""
    draws, optimizer = DISTURBANCES[disturbance]
    return draws(
        spec(
            problem={"kind": "random_regression", "samples": samples, "dimension": samples},
            model={"kind": "diagonal", "depth": 2, "form": "difference"},
            init={"kind": "constant", "value": 0.1},
            optimizer={"kind": "gradient_descent", "learning_rate": 0.1, **optimizer},
            seed=seed,
        )
    )


@pytest.mark.parametrize("scalar", ["float64", "float32"])
@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize("disturbance", DISTURBANCES)
@settings(max_examples=12, deadline=None)
@given(
    samples=st.integers(8, 600),
    seed=st.integers(0, 2**70),
    step=st.integers(0, 2**62) | st.integers(0, 300),
    count=st.integers(1, 40),
)
def test_bits_are_those_of_numpy(scalar, places, disturbance, samples, seed, step, count):
    draws = drawn(disturbance, samples, seed)
    where, width = PLACES[places](draws.numbers), 3 * draws.numbers + 1
    out, expected = (np.full((count, width), 7, scalar) for _ in range(2))
    fill([Filled(draws, step, count, out.ravel(), width, where)])
    values = draws(step, count)
    for repeat in (np.arange(draws.numbers)[:, None] if where is None else where).T:
        expected[:, repeat] = values
    assert out.tobytes() == expected.tobytes()


def test_long_draws_reach_the_tails_and_the_middle():
    draws = drawn("normal labels", 1000, 5)
    out = np.empty(3_000_000)
    fill([Filled(draws, 10, 3000, out, 1000, None)])
    assert np.abs(out).max() > 5 * 0.3
    assert out.tobytes() == draws(10, 3000).tobytes()


@pytest.mark.parametrize("word", [1, 2**64 - 1, 2**63, 2**63 - 1, 2**52, 2**12, 2**24 + 2**20, 3 * 2**37])
def test_words_that_no_stream_is_likely_to_have_give_the_bits_of_numpy(word, monkeypatch):
    """With counters in place of words: the far tails begin below 2^-36."""
    code, written = native.source, "out[0] = a; out[1] = b; out[2] = c; out[3] = d;"
    assert written in code("float64", 8)
    counted = "out[0] = out[1] = out[2] = out[3] = Word(counter);"
    monkeypatch.setattr(native, "source", lambda *of: code(*of).replace(written, counted))
    draws, out = drawn("normal labels", 8, 0), np.empty(8)
    fill([Filled(draws, (word - 1) // 2, 1, out, 8, None)])
    words = np.repeat(np.array([word - 1 + word % 2, (word + word % 2) % 2**64], dtype=np.uint64), 4)
    np.testing.assert_array_equal(out, 0.3 * normal_of(words))


def test_rows_are_filled_together():
    rows = [drawn(name, 40 + number, number) for number, name in enumerate(DISTURBANCES)]
    outs = [np.empty((9, row.numbers)) for row in rows]
    fill(
        Filled(row, 2 * number, 9, out.ravel(), row.numbers, None)
        for number, (row, out) in enumerate(zip(rows, outs, strict=True))
    )
    for number, (row, out) in enumerate(zip(rows, outs, strict=True)):
        np.testing.assert_array_equal(out, row(2 * number, 9))
