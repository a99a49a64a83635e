"""A term of a sum of contractions along its path: the product, and the gradient by the chain rule, for a batch of runs.

Of C, the contraction of A and B, dl/dA is the contraction of dl/dC and B, and dl/dB that of A and dl/dC. Every array,
and the gradient of every array that depends on a factor, is allocated once.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from torch import Tensor

from workers.lab.models.pairs import Operation, Pair, arranged
from workers.runs.contractions.paths import TermPath


class TermGradient:
    """The forward and the backward pass of a term.

    Args:
        path: of the term.
        names: of its operands.
        constants: arrays (runs, ...) of those operands that are not trained, by name.
        like: a tensor of the type and on the device of all arrays, its first dimension the runs.
        alone: the gradient (runs, ...), contiguous, of each factor that occurs once in all terms, by name: it is
            written at once, without a copy.

    Attributes:
        signal: (runs, ...), dl/d term, which must be written before the backward pass.
    """

    def __init__(
        self,
        path: TermPath,
        names: Sequence[str],
        constants: Mapping[str, Tensor],
        like: Tensor,
        alone: Mapping[str, Tensor],
    ) -> None:
        self._path, self._names, self._constants = path, names, constants
        self._trained, self._letters = path.is_trained, path.letters
        self._values = [self._empty(step.letters, like) for step in path.steps]
        self._gradients = [self._empty(letters, like) for letters in self._letters]
        if path.steps:
            for number, name in enumerate(names):
                self._gradients[number] = alone.get(name, self._gradients[number])
        self.signal = self._empty(path.output, like) if not path.steps else self._gradients[-1]
        ones = path.operands[len(names) :]
        self._fixed = [like.new_ones(len(like), path.sizes[letter]) for letter in ones]
        self._pairs = [self._of_step(number) for number in range(len(path.steps))]

    def _empty(self, letters: str, like: Tensor) -> Tensor:
        return like.new_empty(len(like), *(self._path.sizes[letter] for letter in letters))

    def _of_step(self, number: int) -> tuple[Pair, Pair, Pair]:
        """The contraction of a step, and those that pull its gradient back to its left and to its right."""
        step, sizes = self._path.steps[number], self._path.sizes
        left, right, out = self._letters[step.left], self._letters[step.right], step.letters
        return Pair(left, right, out, sizes), Pair(out, right, left, sizes), Pair(left, out, right, sizes)

    def bind(
        self, factors: Mapping[str, Tensor]
    ) -> tuple[Tensor, list[Operation], list[tuple[str, Tensor, list[Operation]]]]:
        """The term (runs, *output) of these factors, the operations that write it, and the backward pass.

        Returns:
            The backward pass in pieces: for each occurrence of a factor its name, its gradient (runs, ...), and the
            operations that write that after those of all pieces before.
        """
        operands = [factors[name] if name in factors else self._constants[name] for name in self._names]
        arrays = [*operands, *self._fixed, *self._values]
        if not self._path.steps:
            return self._alone(arrays[0])
        forward: list[Operation] = []
        for number, (step, (pair, _, _)) in enumerate(zip(self._path.steps, self._pairs, strict=True)):
            forward += pair.bind(arrays[step.left], arrays[step.right], self._values[number])
        return arrays[-1], forward, self._backward(arrays)

    def _alone(self, operand: Tensor) -> tuple[Tensor, list[Operation], list[tuple[str, Tensor, list[Operation]]]]:
        """The pass of an operand without company: it is the term, up to the order of its dimensions."""
        letters, output = self._letters[0], self._path.output
        back = [(self._names[0], arranged(self.signal, output, letters), list[Operation]())]
        return arranged(operand, letters, output), [], back if self._trained[0] else []

    def _backward(self, arrays: Sequence[Tensor]) -> list[tuple[str, Tensor, list[Operation]]]:
        pieces: list[tuple[str, Tensor, list[Operation]]] = []
        operations: list[Operation] = []
        first_step = len(self._path.operands)
        for number in range(len(self._path.steps) - 1, -1, -1):
            step, (_, to_left, to_right) = self._path.steps[number], self._pairs[number]
            gradient = self._gradients[first_step + number]
            for array, pulled in (
                (step.left, partial(to_left.bind, gradient, arrays[step.right])),
                (step.right, partial(to_right.bind, arrays[step.left], gradient)),
            ):
                if self._trained[array]:
                    operations += pulled(self._gradients[array])
                    if array < len(self._names):
                        pieces.append((self._names[array], self._gradients[array], operations))
                        operations = []
        return pieces


def term_of(path: TermPath, operands: Sequence[Tensor]) -> Tensor:
    """The term (runs, *output) of operands (runs, ...), for torch to differentiate."""
    ones = path.operands[len(operands) :]
    arrays = [*operands, *(operands[0].new_ones(len(operands[0]), path.sizes[letter]) for letter in ones)]
    letters = path.letters
    if not path.steps:
        return arranged(arrays[0], letters[0], path.output)
    for step in path.steps:
        pair = Pair(letters[step.left], letters[step.right], step.letters, path.sizes)
        arrays.append(pair.contract(arrays[step.left], arrays[step.right]))
    return arrays[-1]
