"""Base of models that resolve to a sum of contractions: a kind says which, and everything else follows from that."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from math import inf, log
from typing import ClassVar

import numpy as np

from workers.runs.base import misfit
from workers.runs.contractions.multilinear import Multilinear
from workers.runs.factors import Factor
from workers.runs.models.base import ModelBase
from workers.runs.starts.gaussian import Gaussian

DIGEST_LETTERS = 16
"""Letters of a digest that stands for a model in the key of its batches."""


class ResolvedModel(ModelBase, frozen=True):
    """A sum of signed contractions of named factors; a named form says which, and keeps its own few fields in the spec.

    A new form is a class with `resolve`, `check_shape`, an `example` and a `label`, in the union `Model`. Its product,
    gradient, flows, conserved quantities and metrics are those of the contraction.
    """

    has_layers: ClassVar[bool] = False

    @abstractmethod
    def resolve(self, shape: Sequence[int]) -> Multilinear:
        """The contraction of a problem's shape; `multilinear` keeps it."""

    def multilinear(self, shape: Sequence[int]) -> Multilinear:
        """The contraction of a problem's shape, resolved once."""
        return _resolved(self, tuple(shape))

    def check_product(self, shape: Sequence[int], pointer: tuple[str | int, ...]) -> None:
        """Raise a misfit unless the product has a problem's shape; a vector fits a matrix of a single row."""
        product = self.multilinear(shape).shape
        if product != tuple(shape) and (1, *product) != tuple(shape):
            ours, theirs = (" x ".join(map(str, sizes)) for sizes in (product, shape))
            raise misfit(pointer, f"This product is {ours} and the problem is {theirs}; let them have one shape.")

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Shapes of the factors, in the order in which the terms name them."""
        return self.multilinear(shape).factor_shapes

    def factor_names(self, shape: Sequence[int]) -> tuple[str, ...]:
        return self.multilinear(shape).names

    def depth_of(self, shape: Sequence[int]) -> int:
        """The most factors of a term."""
        return self.multilinear(shape).depth

    def is_vector(self, shape: Sequence[int]) -> bool:
        return len(self.multilinear(shape).shape) == 1

    def most_rank(self, shape: Sequence[int]) -> int:
        return min(shape)

    def multiply_adds(self, shape: Sequence[int]) -> int:
        """Those of the path along which each term is contracted, forward and back."""
        return self.multilinear(shape).multiply_adds

    def intermediate_numbers(self, shape: Sequence[int]) -> int:
        return self.multilinear(shape).intermediate_numbers

    def draw(self, start: Gaussian, shape: Sequence[int], stream: np.random.Generator) -> list[Factor]:
        """Independent normal numbers."""
        std = self.entry_std(start, shape)
        return [std * stream.standard_normal(factor) for factor in self.factor_shapes(shape)]

    def check_gaussian(self, start: Gaussian, shape: Sequence[int]) -> None:
        """The std of the product needs entries that share it."""
        if start.std_of == "product" and self.entry_variance(shape) is None:
            raise misfit(
                ("init", "std_of"),
                "The entries of this product share no standard deviation: it has constants, a factor twice in a term, "
                "or terms of different lengths; give the std of a factor.",
            )

    def entry_std(self, start: Gaussian, shape: Sequence[int]) -> float:
        """With m terms' sums of independent products of k normal numbers, an entry has variance m std^(2 k)."""
        if start.std_of == "factor":
            return start.common_std
        variance = self.entry_variance(shape)
        assert variance is not None  # `check_gaussian`
        return float(np.exp((log(start.common_std) - log(variance) / 2) / self.depth_of(shape)))

    def entry_variance(self, shape: Sequence[int]) -> float | None:
        """The variance of an entry for factors of variance 1; None unless it goes with one power of their std."""
        return _spread(self.multilinear(shape))

    def chain(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        """The product itself."""
        return [self.multilinear(shape).product(factors).reshape(tuple(shape))]

    def conserves(self, shape: Sequence[int]) -> bool:
        return bool(self.multilinear(shape).invariants)

    def conserved(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        """Differences of squared norms of slices, and of Gram matrices; see `workers.runs.contractions.invariants`."""
        quantities: list[Factor] = []
        for invariant in self.multilinear(shape).invariants:
            parts = (
                weight * _of_slices(factors[factor], dimension, invariant.is_gram)
                for (factor, dimension), weight in invariant.parts
            )
            quantities.append(np.asarray(sum(parts)))
        return quantities

    def components(self, shape: Sequence[int]) -> int | None:
        return None

    def batch_words(self, shape: Sequence[int]) -> str:
        """A digest of everything that the model says: its batches share their terms and constants."""
        return f"model={sha256(self.model_dump_json().encode()).hexdigest()[:DIGEST_LETTERS]}"


def check_count(field: str, given: int, needed: int, what: str) -> None:
    """Raise a misfit, pointing at a list of the model, unless it has as many numbers as the problem's shape needs."""
    if given != needed:
        raise misfit(
            ("model", field), f"The problem's shape needs {needed} {field} and {given} are given; give {what}."
        )


@lru_cache(maxsize=1024)
def _resolved(model: ResolvedModel, shape: tuple[int, ...]) -> Multilinear:
    return model.resolve(shape)


def _of_slices(factor: Factor, dimension: int, is_gram: bool) -> Factor:
    """Gram matrix, or squared norms, of the slices of a factor along a dimension."""
    rows = np.moveaxis(factor, dimension, 0).reshape(factor.shape[dimension], -1)
    return rows @ rows.T if is_gram else (rows**2).sum(axis=1)


def _spread(form: Multilinear) -> float | None:
    """The variance of an entry for factors of variance 1; None unless it goes with one power of their std."""
    lengths = {len(term.of) for term in form.terms}
    if form.constants or form.repeats_a_factor or len(lengths) > 1:
        return None
    summed = (
        [size for letter, size in sizes.items() if letter not in written.output]
        for sizes, written in zip(form.sizes, form.subscripts, strict=True)
    )
    variance = sum(float(np.prod(sizes, dtype=np.float64)) for sizes in summed)
    return variance if variance < inf else None
