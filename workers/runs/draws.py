"""Random draws of the steps of a run, the same however the run is cut, batched or extended, and on every machine.

Words of 64 bits come from Philox4x64-10 (Salmon, Moraes, Dror and Shaw 2011), which is a function of a key and a
counter: the key is the run's seed and the stream, the counter is the step times the blocks of four words that a step
takes, plus the number of the block. A draw is therefore a function of seed, stream, step and index. numpy computes
the words; `numpy.random.Philox(counter=, key=)` has the same. What follows them rounds alike everywhere.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.runs.normals import normal_of

Array = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

LABEL_STREAM, GRADIENT_STREAM, BATCH_STREAM = range(3)
"""Independent streams of a run's seed, so that one kind of draw never changes another."""

WORDS_OF_BLOCK = 4
BITS_OF_WORD = 64
_WORD = 2**BITS_OF_WORD

PIECE = 2**14
"""Numbers that are computed together; their intermediates stay in a core's cache."""


class Stream:
    """The words of one stream of a run.

    Args:
        seed: of the run, any natural number; those beyond a word are hashed to one.
        number: of the stream.
        words_per_step: how many words each step takes.
    """

    def __init__(self, seed: int, number: int, words_per_step: int) -> None:
        self._generator: Any = np.random.Philox(key=np.array([word_of(seed), number], dtype=np.uint64))
        self._state: dict[str, Any] = dict(self._generator.state)
        self._blocks = -(-words_per_step // WORDS_OF_BLOCK)
        self._words = words_per_step

    def words(self, step: int, count: int) -> Words:
        """The words of `count` consecutive steps, (count, words of a step)."""
        first = step * self._blocks
        counter = [first >> BITS_OF_WORD * place & (_WORD - 1) for place in range(4)]
        key = self._state["state"]["key"]
        self._generator.state = self._state | {"state": {"counter": np.array(counter, dtype=np.uint64), "key": key}}
        drawn: Words = self._generator.random_raw(count * self._blocks * WORDS_OF_BLOCK)
        return drawn.reshape(count, -1)[:, : self._words]


def word_of(seed: int) -> int:
    """A seed as a word: itself, or a hash of one that is longer."""
    if seed < _WORD:
        return seed
    written = seed.to_bytes(-(-seed.bit_length() // 8), "little")
    return int.from_bytes(blake2b(written, digest_size=8).digest(), "little")


class Rademacher:
    """Independent signs: draw i of a step is bit i mod 64 of word i // 64, 1 where it is set, else -1."""

    def __init__(self, seed: int, stream: int, per_step: int) -> None:
        self.words_per_step, self._per_step = -(-per_step // BITS_OF_WORD), per_step
        self._stream = Stream(seed, stream, self.words_per_step)

    def draws(self, step: int, count: int) -> Array:
        """The draws of `count` consecutive steps, (count, draws of a step)."""
        octets = self._stream.words(step, count).astype("<u8", order="C").view(np.uint8)
        bits = np.unpackbits(octets, axis=1, count=self._per_step, bitorder="little")
        return bits.astype(np.float64) * 2.0 - 1.0


class Normal:
    """Independent standard normal numbers: draw i of a step is the inverse distribution function at word i."""

    def __init__(self, seed: int, stream: int, per_step: int) -> None:
        self.words_per_step = per_step
        self._stream = Stream(seed, stream, per_step)

    def draws(self, step: int, count: int) -> Array:
        """The draws of `count` consecutive steps, (count, draws of a step)."""
        words = self._stream.words(step, count)
        flat, drawn = words.reshape(-1), np.empty(words.size)
        for begin in range(0, len(flat), PIECE):
            drawn[begin : begin + PIECE] = normal_of(flat[begin : begin + PIECE])
        return drawn.reshape(words.shape)


DISTRIBUTIONS: dict[str, Callable[[int, int, int], Normal | Rademacher]] = {
    "normal": Normal,
    "rademacher": Rademacher,
}
"""Draws of mean 0 and variance 1, from a seed, a stream and how many each step takes."""


def indices_below(words: Words, most: int) -> npt.NDArray[np.int64]:
    """Uniform indices from 0 to `most` - 1, at most 2^53, of words, in their shape.

    A word's upper 53 bits as a fraction of 1, times `most`, rounded down; an index is more likely than another by less
    than `most` 2^-53.
    """
    return ((words >> np.uint64(11)).astype(np.float64) * 2.0**-53 * most).astype(np.int64)


def orders_of(words: Words) -> npt.NDArray[np.int64]:
    """Uniform permutations (rows, size) of 0, 1, ...: the order of the words (rows, size), smallest first."""
    return np.argsort(words, axis=1, kind="stable")
