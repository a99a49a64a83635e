"""Mini-batches: how often each sample counts in the gradient of a step."""

import numpy as np
import numpy.typing as npt

from workers.runs.draws import BATCH_STREAM, Stream, indices_below, orders_of
from workers.runs.noise import Batch

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


class Minibatches:
    """The mini-batches of one run.

    Args:
        batch: their size, and how they are drawn.
        seed: of the run.
        samples: how many there are.
    """

    def __init__(self, batch: Batch, seed: int, samples: int) -> None:
        self._batch, self._samples = batch, samples
        self._stream = Stream(seed, BATCH_STREAM, batch.size if batch.replacement else samples)
        self._steps_of_epoch = -(-samples // batch.size)
        self._epoch, self._order = -1, np.empty((0, samples), dtype=np.int64)

    def shares(self, step: int, count: int) -> Array:
        """By what each sample's gradient is multiplied at `count` consecutive steps, (count, samples)."""
        return self._with_replacement(step, count) if self._batch.replacement else self._without(step, count)

    def _with_replacement(self, step: int, count: int) -> Array:
        drawn = indices_below(self._stream.words(step, count), self._samples)
        places = drawn + np.arange(count)[:, None] * self._samples
        counts = np.bincount(places.ravel(), minlength=count * self._samples).reshape(count, -1)
        return counts.astype(np.float64) * (self._samples / self._batch.size)

    def _without(self, step: int, count: int) -> Array:
        """The samples of a step are consecutive ones of its epoch's order."""
        epochs, steps = np.divmod(np.arange(step, step + count), self._steps_of_epoch)
        orders = self._orders_from(int(epochs[0]), int(epochs[-1] - epochs[0]) + 1)
        places = steps[:, None] * self._batch.size + np.arange(self._batch.size)
        rows, columns = np.nonzero(places < self._samples)
        sizes = np.bincount(rows, minlength=count)
        shares = np.zeros((count, self._samples))
        shares[rows, orders[epochs[rows] - epochs[0], places[rows, columns]]] = (self._samples / sizes)[rows]
        return shares

    def _orders_from(self, epoch: int, count: int) -> Indices:
        """The orders of the samples in consecutive epochs (count, samples); that of the last is kept for later steps.

        The order of an epoch is drawn as a step of the stream.
        """
        if count > 1 or epoch != self._epoch:
            orders = orders_of(self._stream.words(epoch, count))
            self._epoch, self._order = epoch + count - 1, orders[-1:]
            return orders
        return self._order
