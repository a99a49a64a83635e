"""The columns that apply to a run, computed once for all runs that differ only by their seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from cachetools import LRUCache, cached

from service.values.specs import digest_without_seed, parse_spec
from workers.runs.metrics import metrics_of, summary_metrics_of


@dataclass(frozen=True)
class Applicable:
    """Names of the columns that apply to a run.

    Attributes:
        metrics: columns of its points and its summary.
        measured: columns of its summary alone.
    """

    metrics: tuple[str, ...]
    measured: tuple[str, ...]


_kept: LRUCache[bytes, Applicable] = LRUCache(20_000)


@cached(_kept, key=digest_without_seed, lock=Lock())
def applicable_columns(resolved: Mapping[str, Any]) -> Applicable:
    """The columns that apply to a run, given its spec as JSON values."""
    spec = parse_spec(resolved)
    return Applicable(metrics_of(spec), summary_metrics_of(spec))
