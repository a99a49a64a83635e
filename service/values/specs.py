"""Specs of stored runs, parsed once for all runs that differ only by their seed: nothing else depends on it."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import orjson
from cachetools import LRUCache, cached

from workers.runs.parts import path_of, pieces_of
from workers.runs.reading import StoredReader
from workers.runs.spec import RunSpec

_BYTES_KEPT = 2**25
"""JSON of the specs that are kept; those with explicit factors or many observations are long."""


@dataclass(frozen=True)
class _Parsed:
    spec: RunSpec
    size: int


def digest_without_seed(resolved: Mapping[str, Any]) -> bytes:
    """What two specs, as JSON values, have in common if they differ in nothing but the seed."""
    pieces = pieces_of(resolved)
    return hashlib.blake2b(orjson.dumps([{**pieces.stem, "seed": 0}, pieces.places]), digest_size=16).digest()


def text_of(resolved: Mapping[str, Any], names: Collection[str]) -> bytes:
    """A text that two specs, as JSON values, have in common if some of their fields are equal."""
    pieces = pieces_of(resolved)
    inside = {place: digest for place, digest in pieces.places.items() if path_of(place)[0] in names}
    return orjson.dumps([[pieces.stem.get(name) for name in names], inside], option=orjson.OPT_SORT_KEYS)


def parse_spec(resolved: Mapping[str, Any]) -> RunSpec:
    """The spec of a stored run from its JSON values, which were checked when it was submitted."""
    spec, seed = _parse(resolved).spec, int(resolved["seed"])
    return spec if spec.seed == seed else spec.model_copy(update={"seed": seed})


def _size(parsed: _Parsed) -> int:
    return parsed.size


_kept: LRUCache[bytes, _Parsed] = LRUCache(_BYTES_KEPT, getsizeof=_size)
_reader = StoredReader(_BYTES_KEPT)


@cached(_kept, key=digest_without_seed, lock=Lock())
def _parse(resolved: Mapping[str, Any]) -> _Parsed:
    pieces = pieces_of(resolved)
    return _Parsed(_reader.read(pieces), len(orjson.dumps(pieces.stem)) + pieces.long_characters)
