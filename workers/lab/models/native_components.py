"""The CP factorisation by compiled code, where it can run; see `workers.lab.native.components`."""

from collections.abc import Sequence
from math import prod

from torch import Tensor

from workers.lab.models.maths import Evaluation
from workers.lab.native.components import EntryLosses, NativeComponents, is_available
from workers.lab.objectives import EntryObjective, Objective
from workers.lab.sparse_objectives import SparseEntryObjective
from workers.runs.shapes import halves_of


class NativeComponentGradient:
    """Loss and gradient at many states of one batch; an objective of entries takes part in a single call.

    Args:
        objective: the observations of the batch, of the tensors reshaped to matrices.
        gradient: (runs, dimension, rank) per factor, where gradients are written.
    """

    def __init__(self, objective: Objective, gradient: Sequence[Tensor]) -> None:
        self._objective = objective
        rows, columns = map(prod, halves_of([block.shape[1] for block in gradient]))
        self._product = gradient[0].new_empty(len(gradient[0]), rows, columns)
        self._losses = _losses_of(objective, gradient[0]) if isinstance(objective, EntryObjective) else None
        self._components = NativeComponents(gradient, self._product, losses=self._losses)

    def bind(self, factors: Sequence[Tensor], loss: Tensor) -> Evaluation:
        """See `workers.lab.models.maths.Gradient`."""
        if self._losses is not None:
            return self._components.evaluation(factors, loss)
        multiply, pull_back = self._components.bind(factors)
        product, objective = self._product, self._objective

        def evaluate() -> None:
            multiply()
            pull_back(objective.pull_back(product, loss).contiguous())

        return evaluate


class NativeSparseGradient:
    """The same where few entries are observed: only those are computed.

    Args:
        objective: the observations of the batch.
        gradient: (runs, dimension, rank) per factor, where gradients are written.
    """

    def __init__(self, objective: SparseEntryObjective, gradient: Sequence[Tensor]) -> None:
        self._objective, entries = objective, objective.entries()
        self._observed = gradient[0].new_empty(len(entries.rows))
        self._losses = _losses_of(objective, gradient[0])
        self._components = NativeComponents(gradient, self._observed, entries, self._losses)

    def bind(self, factors: Sequence[Tensor], loss: Tensor) -> Evaluation:
        """See `workers.lab.models.maths.Gradient`."""
        if self._losses is not None:
            return self._components.evaluation(factors, loss)
        multiply, pull_back = self._components.bind(factors)
        observed, objective = self._observed, self._objective

        def evaluate() -> None:
            multiply()
            pull_back(objective.pull_back(observed, loss))

        return evaluate


def _losses_of(objective: EntryObjective | SparseEntryObjective, like: Tensor) -> EntryLosses | None:
    """The losses of an objective where they can be compiled with the components."""
    losses = objective.of_entries()
    return losses if losses is not None and is_available(like.dtype, like.device, losses.loss) else None
