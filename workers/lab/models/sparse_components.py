"""The CP factorisation where few entries are observed: only those are computed and pulled back from.

With A and B as in `workers.lab.models.cp_tensor`, stacked over the runs, the observed entries of A B^T are a sampled
product. dl/dA = S B and dl/dB = S^T A are products with a block-diagonal sparse S, one block per run.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.lab.models.cp_tensor import KhatriRao, split
from workers.lab.models.maths import Evaluation
from workers.lab.sparse_objectives import SparseEntryObjective


class SparseComponentGradient:
    """Loss and gradient at many states of one batch, from the observed entries alone.

    Args:
        objective: the observations of the batch.
        gradient: (runs, dimension, rank) per factor, where gradients are written.
    """

    def __init__(self, objective: SparseEntryObjective, gradient: Sequence[Tensor]) -> None:
        self._objective = objective
        self._halves = [KhatriRao(half) for half in split(gradient)]
        self._entries, self._entries_t = objective.matrices()

    def bind(self, factors: Sequence[Tensor], loss: Tensor) -> Evaluation:
        """See `workers.lab.models.maths.Gradient`."""
        bound = [half.bind(half_factors) for half, half_factors in zip(self._halves, split(factors), strict=True)]
        (first, multiply_first, pull_first), (last, multiply_last, pull_last) = bound
        rank = first.shape[2]
        to_first, to_last = (half.gradient.view(-1, rank) for half in self._halves)
        rows, columns = first.view(-1, rank), last.view(-1, rank)
        entries, entries_t, objective, columns_t = self._entries, self._entries_t, self._objective, columns.mT

        def evaluate() -> None:
            multiply_first()
            multiply_last()
            observed = torch.sparse.sampled_addmm(entries, rows, columns_t, beta=0.0)
            signal = objective.pull_back(observed.values(), loss)
            entries.values().copy_(signal)
            torch.index_select(signal, 0, objective.transposition, out=entries_t.values())
            torch.mm(entries, columns, out=to_first)
            torch.mm(entries_t, rows, out=to_last)
            pull_first()
            pull_last()

        return evaluate
