"""Sums of signed contractions: product, loss, gradient and conserved quantities, for a batch of runs.

Each term is contracted along a path that depends on the model alone, with one dimension more for the runs. The gradient
in a factor is the sum over its occurrences in all terms.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from math import prod
from typing import Any

import torch
from torch import Tensor

from workers.lab.models.contraction_terms import TermGradient, term_of
from workers.lab.models.maths import Evaluation, ModelMaths
from workers.lab.models.pairs import Operation
from workers.lab.objectives import Objective
from workers.runs.contractions.multilinear import Multilinear
from workers.runs.contractions.subscripts import Subscripts
from workers.runs.models.base import ModelBase
from workers.runs.models.resolved import ResolvedModel
from workers.runs.shapes import halves_of


class ContractionMaths(ModelMaths):
    """The mathematics of a model that resolves to a sum of contractions."""

    def __init__(self, model: ModelBase, shape: Sequence[int]) -> None:
        assert isinstance(model, ResolvedModel)
        self._form = model.multilinear(shape)
        self._matrix = tuple(prod(half) for half in halves_of(shape))

    def product(self, factors: Sequence[Tensor]) -> Tensor:
        operands = _operands(self._form, factors[0], dict(zip(self._form.names, factors, strict=True)))
        pairs = zip(self._form.terms, self._form.paths, strict=True)
        terms = (term.sign * term_of(path, [operands[name] for name in term.of]) for term, path in pairs)
        total = next(terms)
        for term in terms:
            total = total + term
        return total.reshape(len(factors[0]), *self._matrix)

    def chain(self, factors: Sequence[Tensor]) -> list[Tensor]:
        return [self.product(factors)]

    def gradient(self, objective: Objective, gradient: Sequence[Tensor]) -> "ContractionGradient":
        return ContractionGradient(self._form, self._matrix, objective, gradient)

    def conserved(self, factors: Sequence[Tensor]) -> list[Tensor]:
        quantities: list[Tensor] = []
        for invariant in self._form.invariants:
            total: Tensor | None = None
            for (factor, dimension), weight in invariant.parts:
                part = weight * _of_slices(factors[factor], dimension + 1, invariant.is_gram)
                total = part if total is None else total + part
            assert total is not None
            quantities.append(total)
        return quantities

    @property
    def bends(self) -> bool:
        return self._form.repeats_a_factor

    def bend(self, signal: Tensor, factors: Sequence[Tensor]) -> Tensor:
        """Of each pair of places of a factor in a term, twice the term with both replaced by the same unit array."""
        operands = _operands(self._form, signal, dict(zip(self._form.names, factors, strict=True)))
        pulled = signal.reshape(len(signal), *self._form.shape)
        total = signal.new_zeros(len(signal))
        for term, written, sizes in zip(self._form.terms, self._form.subscripts, self._form.sizes, strict=True):
            for first, second in combinations(range(len(term.of)), 2):
                if term.of[first] == term.of[second] and term.of[first] in self._form.shapes:
                    rest = [operands[name] for place, name in enumerate(term.of) if place not in (first, second)]
                    total = total + 2 * term.sign * _with_units(written, first, second, rest, pulled, sizes)
        return total


class ContractionGradient:
    """Loss and gradient at many states of one batch.

    Args:
        form: what is computed.
        matrix: rows and columns of a product, as the objective takes it.
        objective: the observations of the batch.
        gradient: (runs, ...) per factor, where gradients are written.
    """

    def __init__(
        self, form: Multilinear, matrix: tuple[int, ...], objective: Objective, gradient: Sequence[Tensor]
    ) -> None:
        self._form, self._matrix, self._objective = form, matrix, objective
        self._gradient = dict(zip(form.names, gradient, strict=True))
        like = gradient[0]
        constants = _operands(form, like, {})
        counts = Counter(name for term in form.terms for name in term.of)
        alone = {name: block for name, block in self._gradient.items() if counts[name] == 1}
        self._terms = [
            TermGradient(path, term.of, constants, like, alone)
            for term, path in zip(form.terms, form.paths, strict=True)
        ]
        self._product = like.new_empty(len(like), *form.shape)

    def bind(self, factors: Sequence[Tensor], loss: Tensor) -> Evaluation:
        """See `workers.lab.models.maths.Gradient`."""
        named = dict(zip(self._form.names, factors, strict=True))
        bound = [term.bind(named) for term in self._terms]
        forward = self._forward([(value, operations) for value, operations, _ in bound])
        backward = self._backward([pieces for _, _, pieces in bound])
        product = self._product.view(len(self._product), *self._matrix)
        signals = [(term.sign, own.signal) for term, own in zip(self._form.terms, self._terms, strict=True)]
        objective = self._objective

        def evaluate() -> None:
            for operation in forward:
                operation()
            pulled = objective.pull_back(product, loss).reshape(self._product.shape)
            for sign, signal in signals:
                if sign > 0:
                    signal.copy_(pulled)
                else:
                    torch.neg(pulled, out=signal)
            for operation in backward:
                operation()

        return evaluate

    def _forward(self, terms: Sequence[tuple[Tensor, list[Operation]]]) -> list[Operation]:
        operations: list[Operation] = []
        for number, (term, (value, steps)) in enumerate(zip(self._form.terms, terms, strict=True)):
            operations += steps
            if number:
                operations.append(partial(self._product.add_, value, alpha=term.sign))
            elif term.sign > 0:
                operations.append(partial(self._product.copy_, value))
            else:
                operations.append(partial(torch.neg, value, out=self._product))
        return operations

    def _backward(self, terms: Sequence[Sequence[tuple[str, Tensor, list[Operation]]]]) -> list[Operation]:
        operations: list[Operation] = []
        written: set[str] = set()
        for pieces in terms:
            for name, part, steps in pieces:
                whole = self._gradient[name]
                operations += steps
                if part is not whole:
                    operations.append(partial(whole.add_ if name in written else whole.copy_, part))
                written.add(name)
        return operations


def _operands(form: Multilinear, like: Tensor, factors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Factors and constants by name, constants once for every run."""
    constants = {
        name: torch.as_tensor(constant, dtype=like.dtype, device=like.device).repeat(len(like), *(1,) * constant.ndim)
        for name, constant in form.constants.items()
    }
    return {**constants, **factors}


def _with_units(
    written: Subscripts, first: int, second: int, rest: Sequence[Tensor], signal: Tensor, sizes: Mapping[str, int]
) -> Tensor:
    """The sum over unit arrays of a term that has the same one at two places, times the signal, (runs,).

    The letters of the two places become the same; those that nothing else has are summed over ones.
    """
    same = {letter: letter for letter in sizes}
    for mine, theirs in zip(written.operands[first], written.operands[second], strict=True):
        kept, gone = same[mine], same[theirs]
        same = {letter: kept if now == gone else now for letter, now in same.items()}
    groups = [letters for place, letters in enumerate(written.operands) if place not in (first, second)]
    free = {same[letter] for letter in written.operands[first]}
    count = prod(sizes[letter] for letter in free - {same[letter] for letter in "".join([*groups, written.output])})
    numbers = {letter: number + 1 for number, letter in enumerate(sizes)}
    arguments: list[Any] = []
    for array, letters in zip((signal, *rest), (written.output, *groups), strict=True):
        arguments += [array, [0, *(numbers[same[letter]] for letter in letters)]]
    return count * torch.einsum(*arguments, [0])


def _of_slices(factor: Tensor, dimension: int, is_gram: bool) -> Tensor:
    """Gram matrix, or squared norms, of the slices of factors (points, ...) along a dimension."""
    rows = factor.movedim(dimension, 1).reshape(len(factor), factor.shape[dimension], -1)
    return rows @ rows.mT if is_gram else rows.square().sum(dim=2)
