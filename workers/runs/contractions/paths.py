"""Paths: in which order the operands of a term are contracted, two at a time, and what that costs.

The order is that of opt_einsum (Smith and Gray 2018): the best there is for a few operands, a greedy one for many. It
depends on the term alone. A letter of a single operand that the product lacks is summed by contracting it with ones.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from opt_einsum import paths

from workers.runs.contractions.subscripts import Sizes, Subscripts

MOST_SEARCHED = 8
"""Operands up to which the best order is looked for, in a tenth of a second at most; by dynamic programming."""

_BEST: Any = paths.DynamicProgramming(minimize="flops")


@dataclass(frozen=True)
class PairStep:
    """Two arrays are contracted to a third.

    Attributes:
        left, right: which arrays: the operands come first, then the results of earlier steps.
        letters: of the result.
    """

    left: int
    right: int
    letters: str


@dataclass(frozen=True)
class TermPath:
    """How a term is computed.

    Attributes:
        operands: letters of each operand; those beyond the term's own are vectors of ones.
        trained: for each operand, whether it is a factor.
        steps: whose last result is the term, its letters those of the product; none where the operand itself is.
        output: letters of the product.
        sizes: of the letters.
    """

    operands: tuple[str, ...]
    trained: tuple[bool, ...]
    steps: tuple[PairStep, ...]
    output: str
    sizes: Sizes

    @property
    def letters(self) -> tuple[str, ...]:
        """Letters of every array: the operands, then the results of the steps."""
        return (*self.operands, *(step.letters for step in self.steps))

    @property
    def is_trained(self) -> tuple[bool, ...]:
        """For every array, whether it depends on a factor."""
        trained = list(self.trained)
        for step in self.steps:
            trained.append(trained[step.left] or trained[step.right])
        return tuple(trained)

    def size(self, letters: Collection[str]) -> int:
        """Numbers of an array with these letters."""
        return prod(self.sizes[letter] for letter in letters)

    @property
    def multiply_adds(self) -> int:
        """Forward once for every step, and back once for each of its operands that depends on a factor."""
        trained, letters = self.is_trained, self.letters
        return sum(
            self.size({*letters[step.left], *letters[step.right]}) * (1 + trained[step.left] + trained[step.right])
            for step in self.steps
            if trained[step.left] or trained[step.right]
        )

    @property
    def numbers(self) -> int:
        """Numbers of all arrays, of their gradients, and of as many copies in another order of dimensions."""
        return 3 * sum(self.size(letters) for letters in self.letters)


def term_path(subscripts: Subscripts, sizes: Sizes, trained: Sequence[bool]) -> TermPath:
    """The path of a term.

    Args:
        trained: for each operand, whether it is a factor; others are constants.
    """
    counts = Counter("".join(subscripts.operands))
    alone = [letter for letter, count in counts.items() if count == 1 and letter not in subscripts.output]
    operands = (*subscripts.operands, *alone)
    steps = _steps(operands, subscripts.output, sizes)
    return TermPath(operands, (*trained, *(False for _ in alone)), steps, subscripts.output, sizes)


def _steps(operands: Sequence[str], output: str, sizes: Sizes) -> tuple[PairStep, ...]:
    if len(operands) == 1:
        return ()
    arrays, steps, waiting = list(operands), list[PairStep](), set(range(len(operands)))
    for first, second in _order(operands, output, sizes):
        waiting -= {first, second}
        wanted = set(output).union(*(arrays[number] for number in waiting))
        left, right = arrays[first], arrays[second]
        letters = "".join(letter for letter in dict.fromkeys(left + right) if letter in wanted)
        waiting.add(len(arrays))
        arrays.append(letters if len(waiting) > 1 else output)
        steps.append(PairStep(first, second, arrays[-1]))
    return tuple(steps)


def _order(operands: Sequence[str], output: str, sizes: Sizes) -> list[tuple[int, int]]:
    """Pairs of arrays, numbered as in `PairStep`.

    Letters go as numbers, whose sets have the same order in every process.
    """
    numbers: Any = {letter: number for number, letter in enumerate(sizes)}
    inputs = [frozenset(numbers[letter] for letter in letters) for letters in operands]
    by_number = {numbers[letter]: size for letter, size in sizes.items()}
    search = _BEST if len(operands) <= MOST_SEARCHED else paths.auto
    path = search(inputs, frozenset(numbers[letter] for letter in output), by_number)
    return [(min(pair), max(pair)) for pair in paths.linear_to_ssa(path)]
