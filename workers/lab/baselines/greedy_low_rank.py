"""Greedy low-rank learning (Li, Luo, Lyu 2021), with L-BFGS in place of the gradient flow of each rank."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache, cached
from scipy.optimize import minimize

from workers.lab.baselines.solutions import Deadline, NotSolved, Solution
from workers.lab.product_loss import ProductLoss
from workers.records import Outcome
from workers.runs.models.greedy_low_rank import GreedyLowRank
from workers.runs.observations import observe
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]

LEAST_SLOPE = 1e-6
"""Largest singular value of dl/dW, over that at W = 0, below which no term of rank one is appended."""

MOST_STEPS = 10_000
"""Most steps of L-BFGS for a rank."""

PAIRS = 20
"""Pairs of steps and gradients that L-BFGS keeps."""

SOLVER = f"l-bfgs of scipy {version('scipy')}"


def _key(spec: RunSpec) -> tuple[Any, ...]:
    return spec.problem, spec.model, spec.loss


@cached(LRUCache(8), key=_key)
def learn_greedily(spec: RunSpec) -> Solution:
    """The matrices of the ranks from 0; runs with the same problem, model and loss share them.

    Raises:
        NotSolved: the gradient of a rank did not vanish, or the time was over.
    """
    model = spec.model
    assert isinstance(model, GreedyLowRank)
    task, deadline = _Task(spec, model), Deadline(model.max_seconds, "l-bfgs")
    root = np.sqrt(model.epsilon_for(float(np.abs(observe(spec.problem).values).max())))
    factors, path, residual = task.factors_of(0), [np.zeros(spec.problem.shape)], 0.0
    while not (is_over := task.is_over(path[-1], model.loss_below)) and len(path) <= model.most_ranks(path[0].shape):
        factors, residual = _settle(task, factors.with_term(*task.steepest(path[-1]), root), deadline)
        path.append(factors.product)
    outcome = Outcome.CONVERGED if is_over else Outcome.BUDGET_EXHAUSTED
    return Solution(path, SOLVER, {"stationarity": residual}, outcome)


@dataclass(frozen=True)
class Factors:
    """W = left right, (rows, rank) times (rank, columns); `left` alone where right is its transpose."""

    left: Array
    right: Array | None

    @property
    def product(self) -> Array:
        return self.left @ (self.left.T if self.right is None else self.right)

    @property
    def flat(self) -> Array:
        """All numbers in a row."""
        return np.concatenate([part.ravel() for part in (self.left, self.right) if part is not None])

    def like(self, flat: Array) -> "Factors":
        """Factors of the same shapes, from their numbers in a row."""
        left = flat[: self.left.size].reshape(self.left.shape)
        return Factors(left, None if self.right is None else flat[self.left.size :].reshape(self.right.shape))

    def with_term(self, column: Array, row: Array, root: float) -> "Factors":
        """With the square of root times a column and a row appended."""
        right = None if self.right is None else np.vstack([self.right, root * row])
        return Factors(np.column_stack([self.left, root * column]), right)

    def gradient(self, of_product: Array) -> Array:
        """dl/d(factors) in a row, from dl/dW."""
        if self.right is None:
            return ((of_product + of_product.T) @ self.left).ravel()
        return np.concatenate([(of_product @ self.right.T).ravel(), (self.left.T @ of_product).ravel()])


class _Task:
    """The loss of a run, and the slopes by which a rank is begun and ended."""

    def __init__(self, spec: RunSpec, model: GreedyLowRank) -> None:
        self.loss, self.tolerance = ProductLoss(spec), model.tolerance
        self._shape, self._is_symmetric = spec.problem.shape, model.symmetric
        self.scale = self._slope(np.zeros(self._shape))

    def factors_of(self, rank: int) -> Factors:
        """Zeros of a rank."""
        rows, columns = self._shape
        return Factors(np.zeros((rows, rank)), None if self._is_symmetric else np.zeros((rank, columns)))

    def is_over(self, matrix: Array, loss_below: float | None) -> bool:
        """Whether the loss is below a limit, or no term of rank one lowers it."""
        is_below = loss_below is not None and self.loss.value(matrix) < loss_below
        return is_below or self._slope(matrix) <= LEAST_SLOPE * self.scale

    def steepest(self, matrix: Array) -> tuple[Array, Array]:
        """The column and the row, of length 1, of the term of rank one along which the loss falls fastest."""
        descent = self._descent(matrix)
        if self._is_symmetric:
            vector = np.linalg.eigh(descent)[1][:, -1]
            return vector, vector
        left, _, right = np.linalg.svd(descent, full_matrices=False)
        return left[:, 0], right[0]

    def relative(self, gradient: Array, flat: Array) -> float:
        """The size of a gradient in the factors, over that of dl/dW at W = 0 and over the norm of the factors."""
        return float(np.linalg.norm(gradient) / (self.scale * np.linalg.norm(flat)))

    def _slope(self, matrix: Array) -> float:
        """How fast the loss falls along that term; at most 0 where it does not."""
        descent = self._descent(matrix)
        return float(np.linalg.eigvalsh(descent)[-1] if self._is_symmetric else np.linalg.norm(descent, 2))

    def _descent(self, matrix: Array) -> Array:
        """-dl/dW, its symmetric part where W is symmetric."""
        descent = -self.loss.gradient(matrix)
        return (descent + descent.T) / 2 if self._is_symmetric else descent


class _Settled(Exception):
    """The gradient in the factors has vanished, at these numbers."""

    def __init__(self, flat: Array) -> None:
        super().__init__()
        self.flat = flat


def _settle(task: _Task, start: Factors, deadline: Deadline) -> tuple[Factors, float]:
    """Factors at which the gradient of the loss in them vanishes, from a start, and its relative size there."""
    unit = task.loss.value(np.zeros(start.product.shape)) or 1.0

    def evaluate(flat: Array) -> tuple[float, Array]:
        deadline.check()
        factors = start.like(flat)
        product = factors.product
        gradient = factors.gradient(task.loss.gradient(product))
        if task.relative(gradient, flat) <= task.tolerance:
            raise _Settled(flat.copy())
        return task.loss.value(product) / unit, gradient / unit

    options: dict[str, Any] = {"maxiter": MOST_STEPS, "maxfun": 2 * MOST_STEPS, "maxcor": PAIRS, "ftol": 0, "gtol": 0}
    try:
        flat = minimize(evaluate, start.flat, jac=True, method="L-BFGS-B", options=options).x
    except _Settled as settled:
        flat = settled.flat
    factors = start.like(flat)
    residual = task.relative(factors.gradient(task.loss.gradient(factors.product)), flat)
    if residual > task.tolerance:
        raise NotSolved(
            f"L-BFGS ended rank {start.left.shape[1]} with a relative gradient of {residual:.1e}, above the "
            f"{task.tolerance:.0e} of model.tolerance; raise that, or take a smaller model.max_rank."
        )
    return factors, residual
