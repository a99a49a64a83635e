"""The rank search: how many components a run's product, its target and the linear baseline have, once a run is over.

A search is a row of trials, each one fit of one rank, and the trials to come follow from what is carried from slice to
slice. A slice that ends with searches undone leaves its runs running; the next goes on.
Each search begins at the bound that the matricisations give, doubles until a rank fits, then halves the interval.
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
from workers.lab.metrics.tensor_rank import fits_rank, rank_bound
from workers.lab.models.base import product_of
from workers.lab.models.layout import split_factors
from workers.records import Outcome
from workers.runs.costs import trained_numbers
from workers.runs.metrics import ranks_of
from workers.runs.observations import observe
from workers.runs.problems import ObservedEntries, Problem
from workers.runs.shapes import highest_rank
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]
Search = npt.NDArray[np.int64]
"""The outcome's position, then (least rank not excluded, least rank known to fit) for each of RANKS."""

RANKS = ("rank", "target_rank", "linear_rank")
_OUTCOMES = tuple(Outcome)
_UNBEGUN, _UNTRIED, _UNKNOWN, _NONE = -1, -2, -3, -4


def begin_search(outcome: Outcome) -> Search:
    """The search of a run whose descent ended like this."""
    return np.array([_OUTCOMES.index(outcome)] + [_UNBEGUN, _UNTRIED] * len(RANKS), dtype=np.int64)


def outcome_of(search: Search) -> Outcome:
    """How the descent ended that a search follows."""
    return _OUTCOMES[search[0]]


def is_done(spec: RunSpec, search: Search) -> bool:
    """Whether all ranks that a run is measured by are found."""
    return all(low == high for name, low, high in _intervals(search) if name in ranks_of(spec))


def search_ranks(
    descents: Descents, begun: Sequence[Search | None], clock: Clock, least: int = 0
) -> list[Search | None]:
    """Search for the ranks of all runs that are over until the clock stops it.

    Args:
        descents: where the runs stand.
        begun: the searches so far, None of a run that has none.
        least: trials to make whatever the clock says.

    Returns:
        The search of every run that is over and measured by its rank, None of the others.
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
    """One trial of the first rank not found yet.

    Args:
        state: the run's last state, its factors first.
    """
    after = search.copy()
    for place, (name, low, high) in enumerate(_intervals(search)):
        if name in ranks_of(spec) and low != high:
            after[1 + 2 * place : 3 + 2 * place] = _try(low, high, _tensor(spec, name, state))
            break
    return after


def search_summary(spec: RunSpec, search: Search | None) -> dict[str, Any]:
    """The ranks and the linear baseline's error under their names in a summary, None where absent or not found yet."""
    found: dict[str, Any] = {**dict.fromkeys(RANKS), "linear_reconstruction_error": _linear_error(spec.problem)}
    if search is not None and is_done(spec, search):
        found |= {name: low if low >= 0 else None for name, low, _ in _intervals(search) if name in ranks_of(spec)}
    return found


def _intervals(search: Search) -> list[tuple[str, int, int]]:
    bounds = search[1:].reshape(-1, 2).tolist()
    return [(name, low, high) for name, (low, high) in zip(RANKS, bounds, strict=True)]


@dataclass(frozen=True)
class _Tensor:
    """A tensor by its digest, so that answers about it can be kept."""

    digest: bytes
    entries: Array = field(compare=False)
    is_shared: bool = field(compare=False)


def _try(low: int, high: int, tensor: _Tensor) -> tuple[int, int]:
    """The interval of ranks after one more trial."""
    if low == _UNBEGUN:
        return _first_interval(tensor)
    highest = highest_rank(tensor.entries.shape)
    rank = low if high == _UNTRIED else min(2 * low, highest) if high == _UNKNOWN else (low + high) // 2
    if rank >= highest or _ask(_shared_fits, fits_rank, tensor, rank):
        return low, rank
    return rank + 1, _UNKNOWN if high == _UNTRIED else high


def _first_interval(tensor: _Tensor) -> tuple[int, int]:
    if not np.isfinite(tensor.entries).all():
        return _NONE, _NONE
    bound = _ask(_shared_bound, rank_bound, tensor)
    return bound, bound if bound == 0 or tensor.entries.ndim == 2 else _UNTRIED


def _ask(shared: Callable[..., int], own: Callable[..., int], tensor: _Tensor, *rank: int) -> int:
    return shared(tensor, *rank) if tensor.is_shared else own(tensor.entries, *rank)


@lru_cache(maxsize=512)
def _shared_bound(tensor: _Tensor) -> int:
    return rank_bound(tensor.entries)


@lru_cache(maxsize=512)
def _shared_fits(tensor: _Tensor, rank: int) -> bool:
    return fits_rank(tensor.entries, rank)


def _tensor(spec: RunSpec, name: str, state: npt.NDArray[Any]) -> _Tensor:
    """What a rank is asked of; targets and baselines are shared by many runs."""
    if name == "rank":
        return _Tensor(b"", _product(spec, state), is_shared=False)
    observed = observe(spec.problem)
    entries = observed.target if name == "target_rank" else observed.values
    assert entries is not None
    return _Tensor(hashlib.sha256(entries.tobytes()).digest(), entries, is_shared=True)


def _product(spec: RunSpec, state: npt.NDArray[Any]) -> Array:
    trained = state[None, : trained_numbers(spec)].astype(np.float64)
    factors = split_factors(torch.from_numpy(trained), spec.factor_shapes)
    return product_of(spec.model, factors).reshape(spec.problem.shape).numpy()


@lru_cache(maxsize=1024)
def _linear_error(problem: Problem) -> float | None:
    """||observed entries, zeros elsewhere - target|| / ||target||, the reconstruction error without any learning."""
    observed = observe(problem)
    if not isinstance(observed, ObservedEntries) or observed.target is None:
        return None
    return float(np.linalg.norm(observed.values - observed.target) / np.linalg.norm(observed.target))
