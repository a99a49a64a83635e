"""Specs of stored runs, parsed once for all runs that differ only by their seed: nothing else depends on it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import orjson
from cachetools import LRUCache, cached

from workers.runs.spec import RunSpec

_BYTES_KEPT = 2**24
"""JSON of the specs that are kept; those with explicit factors or many observations are long."""


@dataclass(frozen=True)
class _Parsed:
    spec: RunSpec
    size: int


def digest_without_seed(resolved: Mapping[str, Any]) -> bytes:
    """What two specs, as JSON values, have in common if they differ in nothing but the seed."""
    return hashlib.blake2b(orjson.dumps({**resolved, "seed": 0}), digest_size=16).digest()


def parse_spec(resolved: Mapping[str, Any]) -> RunSpec:
    """The spec of a stored run from its JSON values, which were checked when it was submitted."""
    spec, seed = _parse(resolved).spec, int(resolved["seed"])
    return spec if spec.seed == seed else spec.model_copy(update={"seed": seed})


def _size(parsed: _Parsed) -> int:
    return parsed.size


_kept: LRUCache[bytes, _Parsed] = LRUCache(_BYTES_KEPT, getsizeof=_size)


@cached(_kept, key=digest_without_seed, lock=Lock())
def _parse(resolved: Mapping[str, Any]) -> _Parsed:
    return _Parsed(RunSpec.model_validate(resolved), len(orjson.dumps(resolved)))
