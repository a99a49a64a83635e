"""Contractions of two arrays by their letters, for a batch of runs, as products of matrices.

Letters of both arrays that stay are a batch, letters of both that go are summed, the others are rows and columns. A sum
is then a batch of products of matrices, which rounds alike however many runs there are (`workers.lab.products`); where
nothing is summed, numbers are multiplied one by one. Whether an array is copied to another order of its dimensions
depends on its letters alone.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from workers.lab.products import multiply

Operation = Callable[[], object]
Sizes = Mapping[str, int]


def arranged(array: Tensor, letters: str, wanted: str) -> Tensor:
    """A view of an array (runs, *letters) whose dimensions follow other letters; of those it lacks, of size 1."""
    order = [letters.index(letter) + 1 for letter in wanted if letter in letters]
    view = array.permute(0, *order)
    for place, letter in enumerate(wanted):
        if letter not in letters:
            view = view.unsqueeze(place + 1)
    return view


class Pair:
    """The contraction of two arrays to a third, whose memory is allocated once.

    Args:
        left, right, out: letters of the arrays.
        sizes: of the letters.
    """

    def __init__(self, left: str, right: str, out: str, sizes: Sizes) -> None:
        self._left, self._right, self._out, self._sizes = left, right, out, sizes
        both = [letter for letter in left if letter in right]
        self._batch = "".join(letter for letter in out if letter in both)
        self._inner = "".join(letter for letter in both if letter not in out)
        self._rows = "".join(letter for letter in out if letter in left and letter not in both)
        self._columns = "".join(letter for letter in out if letter in right and letter not in both)
        self._buffers: dict[str, Tensor] = {}

    def bind(self, left: Tensor, right: Tensor, out: Tensor) -> list[Operation]:
        """The operations that contract arrays (runs, *their letters), contiguous, and write `out`."""
        if not self._inner:
            factors = (arranged(left, self._left, self._out), arranged(right, self._right, self._out))
            return [partial(torch.mul, *factors, out=out)]
        operations: list[Operation] = []
        first = self._matrices(left, self._left, self._rows, self._inner, "left", operations)
        second = self._matrices(right, self._right, self._inner, self._columns, "right", operations)
        if self._out == self._batch + self._columns + self._rows:
            operations.append(partial(multiply, second.mT, first.mT, self._as_matrices(out, self._columns)))
            return operations
        product = self._batch + self._rows + self._columns
        whole = out if self._out == product else self._buffer("out", out, product)
        operations.append(partial(multiply, first, second, self._as_matrices(whole, self._rows)))
        if whole is not out:
            operations.append(partial(out.copy_, arranged(whole, product, self._out)))
        return operations

    def contract(self, left: Tensor, right: Tensor) -> Tensor:
        """The third array, for torch to differentiate."""
        if not self._inner:
            return arranged(left, self._left, self._out) * arranged(right, self._right, self._out)
        first = self._reshaped(arranged(left, self._left, self._batch + self._rows + self._inner), self._rows)
        second = self._reshaped(arranged(right, self._right, self._batch + self._inner + self._columns), self._inner)
        product = self._batch + self._rows + self._columns
        whole = torch.bmm(first, second).reshape(len(left), *(self._sizes[letter] for letter in product))
        return arranged(whole, product, self._out)

    def _matrices(
        self, array: Tensor, letters: str, rows: str, columns: str, name: str, operations: list[Operation]
    ) -> Tensor:
        """An array as matrices (runs * batch, rows, columns): a view, or a copy and the operation that makes it."""
        if letters == self._batch + rows + columns:
            return self._as_matrices(array, rows)
        if letters == self._batch + columns + rows:
            return self._as_matrices(array, columns).mT
        wanted = self._batch + rows + columns
        buffer = self._buffer(name, array, wanted)
        operations.append(partial(buffer.copy_, arranged(array, letters, wanted)))
        return self._as_matrices(buffer, rows)

    def _as_matrices(self, array: Tensor, rows: str) -> Tensor:
        return array.view(array.size(0) * self._size(self._batch), self._size(rows), -1)

    def _reshaped(self, array: Tensor, rows: str) -> Tensor:
        return array.reshape(array.size(0) * self._size(self._batch), self._size(rows), -1)

    def _size(self, letters: Sequence[str]) -> int:
        size = 1
        for letter in letters:
            size *= self._sizes[letter]
        return size

    def _buffer(self, name: str, like: Tensor, letters: str) -> Tensor:
        if name not in self._buffers:
            self._buffers[name] = like.new_empty(len(like), *(self._sizes[letter] for letter in letters))
        return self._buffers[name]
