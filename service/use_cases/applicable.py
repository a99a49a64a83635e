"""Which columns apply to a run; asked once for all runs that differ only by their seed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import orjson
from cachetools import LRUCache

from workers.runs.metrics import metrics_of, summary_metrics_of
from workers.runs.spec import RunSpec

_MOST_KNOWN = 20_000


@dataclass(frozen=True)
class Applicable:
    """Names of the columns that apply to a run.

    Attributes:
        metrics: of its points and its summary.
        measured: of its summary alone.
    """

    metrics: tuple[str, ...]
    measured: tuple[str, ...]


_known: LRUCache[bytes, Applicable] = LRUCache(_MOST_KNOWN)
_lock = Lock()


def applicable_columns(spec: Mapping[str, Any]) -> Applicable:
    """The columns that apply to a run, given its resolved spec."""
    key = hashlib.blake2b(orjson.dumps({**spec, "seed": 0}), digest_size=16).digest()
    with _lock:
        found = _known.get(key)
    if found is None:
        run = RunSpec.model_validate(spec)
        found = Applicable(metrics_of(run), summary_metrics_of(run))
        with _lock:
            _known[key] = found
    return found
