"""The rank search: tensor ranks of the product of a finished run, of its target and of the linear baseline.

A search is a sequence of trials, each the fit of one rank; the next trial follows from the state carried from slice to
slice. A run whose search is unfinished at the end of a slice stays running, and the next slice continues the search.
Each search begins at the bound given by the matricisations, doubles until a rank fits, then halves the interval.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from workers.lab.engines.descents import Clock, Descents
from workers.lab.metrics.products import product_of
from workers.lab.metrics.tensor_rank import RANK_TOLERANCE, exact_rank_bound, fits_rank, rank_bound
from workers.lab.models.layout import split_factors
from workers.records import Outcome
from workers.runs.costs import trained_numbers
from workers.runs.metrics import BY_NAME
from workers.runs.observations import observe, per_problem
from workers.runs.problems import ObservedEntries, Problem
from workers.runs.scaling import norm
from workers.runs.shapes import highest_rank
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]
Search = npt.NDArray[np.int64]
"""The outcome's index, then for each of RANKS (least rank not excluded, least rank that is shown to fit)."""

RANKS = ("rank", "target_rank", "linear_rank")
_OUTCOMES = tuple(Outcome)
_UNBEGUN, _UNTRIED, _UNBOUNDED, _NONE = -1, -2, -3, -4
"""In place of a rank: search not begun; bound not tried; no rank fits so far; no rank, the tensor is not finite."""


def ranks_of(spec: RunSpec) -> tuple[str, ...]:
    """Which of RANKS a run is measured by."""
    return tuple(name for name in RANKS if BY_NAME[name].applies(spec))


def begin_search(outcome: Outcome) -> Search:
    """The search of a run whose descent ended with `outcome`."""
    return np.array([_OUTCOMES.index(outcome)] + [_UNBEGUN, _UNTRIED] * len(RANKS), dtype=np.int64)


def outcome_of(search: Search) -> Outcome:
    """The outcome of the descent before a search."""
    return _OUTCOMES[search[0]]


def is_done(spec: RunSpec, search: Search) -> bool:
    """Whether the search has determined all ranks that a run is measured by."""
    return all(low == high for name, low, high in _intervals(search) if name in ranks_of(spec))


def search_ranks(
    descents: Descents, begun: Sequence[Search | None], clock: Clock, least: int = 0
) -> list[Search | None]:
    """Search for the ranks of all runs that are over until the clock stops it.

    Args:
        descents: the runs.
        begun: the searches so far, None for a run without a search.
        least: trials to make even when no time is left.

    Returns:
        The search of every run that is over and measured by its rank, None for the others.
    """
    searches: list[Search | None] = []
    trials = 0
    for spec, outcome, state, search in zip(descents.specs, descents.outcomes, descents.states, begun, strict=True):
        if search is None and outcome is not None and ranks_of(spec):
            search = begin_search(outcome)
        while search is not None and not is_done(spec, search) and (clock.seconds_left > 0 or trials < least):
            search, trials = advance_search(spec, search, state), trials + 1
        searches.append(search)
    return searches


def advance_search(spec: RunSpec, search: Search, state: npt.NDArray[Any]) -> Search:
    """The search after one more trial, of the first rank that is not yet determined.

    Args:
        state: the run's last state, its factors first.
    """
    after = search.copy()
    for index, (name, low, high) in enumerate(_intervals(search)):
        if name in ranks_of(spec) and low != high:
            after[1 + 2 * index : 3 + 2 * index] = _try(low, high, _tensor(spec, name, state))
            break
    return after


def search_summary(spec: RunSpec, search: Search | None) -> dict[str, Any]:
    """Ranks and linear reconstruction error under their names in a summary, None where absent or not yet determined."""
    summary: dict[str, Any] = {**dict.fromkeys(RANKS), "linear_reconstruction_error": _linear_error(spec.problem)}
    if search is not None and is_done(spec, search):
        summary |= {name: low if low >= 0 else None for name, low, _ in _intervals(search) if name in ranks_of(spec)}
    return summary


def _intervals(search: Search) -> list[tuple[str, int, int]]:
    bounds = search[1:].reshape(-1, 2).tolist()
    return [(name, low, high) for name, (low, high) in zip(RANKS, bounds, strict=True)]


@dataclass(frozen=True)
class _Tensor:
    """A tensor, compared and hashed by its digest, so that results about it can be cached.

    Attributes:
        entries: over a power of two, by which the data have a norm near 1 and all squares stay in range.
        tolerance: mean squared error below which a fit passes, in the same units.
        is_exact: whether it is given, so that all of its rank counts.
    """

    digest: bytes
    tolerance: float
    is_exact: bool
    entries: Array = field(compare=False)
    is_shared: bool = field(compare=False)


def _try(low: int, high: int, tensor: _Tensor) -> tuple[int, int]:
    """The interval of ranks after one more trial."""
    if low == _UNBEGUN:
        return _first_interval(tensor)
    highest = highest_rank(tensor.entries.shape)
    rank = _next_rank(low, high, highest)
    if rank >= highest or _compute(_cached_fits, _fits, tensor, rank):
        return low, rank
    return rank + 1, _UNBOUNDED if high == _UNTRIED else high


def _next_rank(low: int, high: int, highest: int) -> int:
    """The rank to try next: the bound itself, then doubled until a rank fits, then the middle of the interval."""
    if high == _UNTRIED:
        return low
    return min(2 * low, highest) if high == _UNBOUNDED else (low + high) // 2


def _first_interval(tensor: _Tensor) -> tuple[int, int]:
    """The interval of ranks by the matricisations; for a matrix they give the rank itself."""
    if not np.isfinite(tensor.entries).all():
        return _NONE, _NONE
    bound = _compute(_cached_bound, _bound, tensor)
    return bound, bound if bound == 0 or tensor.entries.ndim == 2 else _UNTRIED


def _compute(cached: Callable[..., int], direct: Callable[..., int], tensor: _Tensor, *rank: int) -> int:
    """A result about a tensor, cached if many runs share the tensor."""
    return (cached if tensor.is_shared else direct)(tensor, *rank)


def _bound(tensor: _Tensor) -> int:
    return exact_rank_bound(tensor.entries) if tensor.is_exact else rank_bound(tensor.entries, tensor.tolerance)


def _fits(tensor: _Tensor, rank: int) -> bool:
    return fits_rank(tensor.entries, rank, tensor.tolerance)


_cached_bound, _cached_fits = lru_cache(maxsize=512)(_bound), lru_cache(maxsize=512)(_fits)


def _tensor(spec: RunSpec, name: str, state: npt.NDArray[Any]) -> _Tensor:
    """The tensor whose rank has this name; targets and baselines are shared by many runs."""
    observed = observe(spec.problem)
    given = observed.target if name == "target_rank" else observed.values
    entries = _product(spec, state) if name == "rank" else given
    assert entries is not None
    size, exponent = np.frexp(_size_of_data(spec.problem) or norm(entries))
    tolerance, is_exact, is_shared = RANK_TOLERANCE * float(size) ** 2, name == "target_rank", name != "rank"
    digest = hashlib.sha256(entries.tobytes()).digest() if is_shared else b""
    return _Tensor(digest, tolerance, is_exact, np.ldexp(entries, -int(exponent)), is_shared)


@lru_cache(maxsize=1024)
def _size_of_data(problem: Problem) -> float:
    """Norm of the target; where it is not known, that of the observed values over the mean norm of what measures them.

    A rank is relative to it, whatever the units of the problem. It is 0 where all observed values are.
    """
    observed = observe(problem)
    if observed.target is not None:
        return norm(observed.target)
    if isinstance(observed, ObservedEntries):
        return norm(observed.values)
    mean = norm(observed.tensors) / np.sqrt(len(observed.tensors))
    return norm(observed.values) / float(mean) if mean else 0.0


def _product(spec: RunSpec, state: npt.NDArray[Any]) -> Array:
    trained = state[None, : trained_numbers(spec)].astype(np.float64)
    factors = split_factors(torch.from_numpy(trained), spec.factor_shapes)
    return product_of(spec, factors).reshape(spec.problem.shape).numpy()


@per_problem
def _linear_error(problem: Problem) -> float | None:
    """||V - target|| / ||target|| with V the observed entries and zeros elsewhere: the error without any learning."""
    observed = observe(problem)
    if not isinstance(observed, ObservedEntries) or observed.target is None:
        return None
    return float(np.divide(norm(observed.values - observed.target), norm(observed.target)))
