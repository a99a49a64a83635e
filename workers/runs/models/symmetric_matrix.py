"""Symmetric matrix factorisation: W = U U^T."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from workers.runs.base import Count, misfit
from workers.runs.factors import Factor
from workers.runs.models.base import ModelBase, check_is_matrix
from workers.runs.models.deep_matrix import factor_std
from workers.runs.models.symmetric_targets import with_symmetric_target
from workers.runs.starts.gaussian import Gaussian


class SymmetricMatrix(ModelBase, frozen=True):
    """W = U U^T, symmetric and positive semidefinite; U is (dimension, rank), the rank the dimension unless given."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "symmetric_matrix", "rank": 2}
    is_fusable: ClassVar[bool] = True
    is_symmetric: ClassVar[bool] = True

    kind: Literal["symmetric_matrix"]
    rank: Count | None = None

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Shape of U, the only factor."""
        return ((shape[0], self.rank or shape[0]),)

    def depth_of(self, shape: Sequence[int]) -> int:
        """Two: U and U^T."""
        return 2

    def check_shape(self, shape: Sequence[int]) -> None:
        check_is_matrix(self.kind, shape)
        rows, columns = shape
        if rows != columns:
            raise misfit(
                ("model", "kind"),
                f"A {self.kind} is square and this problem is {rows} x {columns}; use a deep_matrix.",
            )

    def multiply_adds(self, shape: Sequence[int]) -> int:
        """Two matrix products: U U^T, and (S + S^T) U."""
        rows, rank = self.factor_shapes(shape)[0]
        return 2 * rows * rows * rank

    def intermediate_numbers(self, shape: Sequence[int]) -> int:
        """The product, and the sum of the signal and its transpose."""
        return 2 * shape[0] * shape[1]

    def draw(self, start: Gaussian, shape: Sequence[int], stream: np.random.Generator) -> list[Factor]:
        """U alone; U and U^T are balanced for any U."""
        factor = self.factor_shapes(shape)[0]
        return [self.entry_std(start, shape) * stream.standard_normal(factor)]

    def entry_std(self, start: Gaussian, shape: Sequence[int]) -> float:
        return factor_std(start, 2, self.factor_shapes(shape)[0][1])

    def chain(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        return [factors[0], factors[0].T]

    def conserved(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        return []

    def most_split_rank(self, shape: Sequence[int]) -> int:
        return min(self.factor_shapes(shape)[0])

    def split(self, matrix: Factor, rank: int) -> list[Factor]:
        """Of the symmetric part, the largest eigenvalues, those below 0 as 0: no other U U^T is nearer."""
        eigenvalues, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        factor = np.zeros(self.factor_shapes(matrix.shape)[0])
        factor[:, :rank] = (vectors * np.sqrt(np.maximum(eigenvalues, 0.0)))[:, : -rank - 1 : -1]
        return [factor]

    def label(self) -> str:
        return f"symmetric, rank {self.rank}" if self.rank is not None else "symmetric"

    def components(self, shape: Sequence[int]) -> int | None:
        return self.factor_shapes(shape)[0][1]

    @classmethod
    def fill_in(cls, run: Mapping[str, Any]) -> dict[str, Any]:
        """A square low rank target is symmetric unless it says otherwise: no other target could be fitted."""
        return with_symmetric_target(run)
