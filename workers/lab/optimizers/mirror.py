"""Steps of mirror descent on the product."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.decompositions import eigh, svd
from workers.lab.losses import in_whole_vectors
from workers.lab.models.layout import FactorLayout
from workers.lab.optimizers.base import Memoryless
from workers.lab.products import multiply
from workers.lab.rates import BatchRates
from workers.runs import optimizers

_mirrored = in_whole_vectors(lambda values, beta: torch.asinh(values / beta))
_unmirrored = in_whole_vectors(lambda values, beta: torch.sinh(values) * beta)
_logarithm = in_whole_vectors(lambda values, _: torch.log(values))
_exponential = in_whole_vectors(lambda values, _: torch.exp(values))


class HypentropySteps(Memoryless):
    """See `workers.runs.optimizers.MirrorDescent`."""

    def __init__(
        self,
        specs: Sequence[optimizers.MirrorDescent],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        self._layout, self._rates = layout, rates
        betas = [spec.beta or 1.0 for spec in specs]
        self._beta = torch.as_tensor(betas, dtype=like.dtype, device=like.device)[:, None]
        self._dual = like.new_empty(layout.size)

    def prepare(self, steps: npt.NDArray[np.int64], count: int) -> None:
        self._begins = steps + np.arange(count)[:, None] == 0

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        begins = torch.from_numpy(np.flatnonzero(self._begins[number - 1])).to(gradient.device)
        (dual,), (start,), (product,) = (self._layout.blocks(one) for one in (self._dual, before[0], after[0]))
        self._dual.copy_(before[1])
        if len(begins):
            dual[begins] = self.potential_gradient(start[begins], self._beta[begins])
        self.symmetrise(self._layout.blocks(gradient)[0])
        torch.addcmul(self._dual, gradient, self._rates.of(number), value=-1, out=after[1])
        product.copy_(self.product_of(self._layout.blocks(after[1])[0], self._beta))

    def symmetrise(self, gradient: Tensor) -> None:
        """Make the gradient that of symmetric matrices, where the potential is of those."""

    def potential_gradient(self, product: Tensor, beta: Tensor) -> Tensor:
        """P of W, both (runs, rows, columns); beta is (runs, 1)."""
        left, values, right = svd(product)
        return _of_values(left, _mirrored(values, beta), right)

    def product_of(self, dual: Tensor, beta: Tensor) -> Tensor:
        """W of P, see `potential_gradient`."""
        left, values, right = svd(dual)
        return _of_values(left, _unmirrored(values, beta), right)


class EntropySteps(HypentropySteps):
    """The steps of the entropy, of symmetric matrices."""

    def symmetrise(self, gradient: Tensor) -> None:
        gradient.copy_((gradient + gradient.mT) / 2)

    def potential_gradient(self, product: Tensor, beta: Tensor) -> Tensor:
        values, vectors = eigh(product)
        return _symmetric(vectors, _logarithm(values, beta))

    def product_of(self, dual: Tensor, beta: Tensor) -> Tensor:
        values, vectors = eigh(dual)
        return _symmetric(vectors, _exponential(values, beta))


def mirror_steps(
    specs: Sequence[optimizers.MirrorDescent], layout: FactorLayout, like: Tensor, most_steps: int, rates: BatchRates
) -> HypentropySteps:
    """The steps of a batch, whose runs share a potential."""
    steps = EntropySteps if specs[0].potential == "entropy" else HypentropySteps
    return steps(specs, layout, like, most_steps, rates)


def _of_values(left: Tensor, values: Tensor, right: Tensor) -> Tensor:
    scaled = left * values[:, None, :]
    return multiply(scaled, right, left.new_empty(len(left), left.shape[1], right.shape[2]))


def _symmetric(vectors: Tensor, values: Tensor) -> Tensor:
    product = _of_values(vectors, values, vectors.mT)
    return (product + product.mT) / 2
