"""Long values of specs, kept apart from them: stored once, sent once, and read once for all runs that have them.

A spec as JSON values is split into a stem, which has None where a long value was, and parts, each the JSON text of such
a value under its digest. `places` says which part belongs where, by JSON pointer. `join` puts the same spec together
again, key by key in the same order. Objects are never parts, so that their short fields stay in the stem.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

LEAST_PART_BYTES = 4096
"""Bytes of JSON from which a value is a part; a row of a run refers to it in about 70."""

_BYTES_OF_A_LETTER = 6
"""Most bytes that JSON takes for a letter."""

Path = tuple[str, ...]


class Parts(Mapping[str, Any]):
    """Values of parts by digest; each is read from its JSON at the first look, and then shared.

    Args:
        texts: JSON by digest.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self._values: dict[str, Any] = {}

    def __getitem__(self, digest: str) -> Any:
        if digest not in self._values:
            self._values[digest] = orjson.loads(self.texts[digest])
        return self._values[digest]

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)

    def narrowed(self, digests: Mapping[str, Any], further: Mapping[str, str]) -> "Parts":
        """The parts of some digests, as far as they are here, and further ones; values that were read stay so."""
        kept = Parts({digest: text for digest, text in self.texts.items() if digest in digests} | dict(further))
        kept._values = {digest: value for digest, value in self._values.items() if digest in kept.texts}
        return kept


@dataclass(frozen=True)
class Pieces:
    """A spec in pieces.

    Attributes:
        stem: the spec as JSON values, None in place of each long value.
        places: the digest of each of those by its JSON pointer.
        parts: theirs, and perhaps those of other specs.
    """

    stem: Mapping[str, Any]
    places: Mapping[str, str]
    parts: Parts

    @property
    def long_characters(self) -> int:
        """Characters of the JSON of its long values."""
        return sum(len(self.parts.texts[digest]) for digest in self.places.values())


class WholeSpec(dict[str, Any]):
    """A spec that was put together and is not to be changed; it shares its long values, and remembers its pieces."""

    def __init__(self, pieces: Pieces) -> None:
        super().__init__(join(pieces))
        self.pieces = pieces


def split(spec: Mapping[str, Any]) -> Pieces:
    """A spec in pieces; a spec without long values is its own stem."""
    places, texts = dict[str, str](), dict[str, str]()
    stem = _stem(spec, (), places, texts)
    return Pieces(stem if places else spec, places, Parts(texts))


def pieces_of(spec: Mapping[str, Any]) -> Pieces:
    """The pieces that a spec remembers, or else is split into."""
    return spec.pieces if isinstance(spec, WholeSpec) else split(spec)


def join(pieces: Pieces) -> dict[str, Any]:
    """The spec of the pieces; its objects around long values are new, and all others those of the stem."""
    whole, fresh = dict(pieces.stem), set[Path]()
    for place, digest in pieces.places.items():
        path = path_of(place)
        inner = whole
        for depth, key in enumerate(path[:-1], 1):
            if path[:depth] not in fresh:
                inner[key] = dict(inner[key])
                fresh.add(path[:depth])
            inner = inner[key]
        inner[path[-1]] = pieces.parts[digest]
    return whole


def pointer_of(path: Iterable[str]) -> str:
    """The JSON pointer (RFC 6901) of a value inside of objects."""
    return "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in path)


def path_of(pointer: str) -> Path:
    """The keys of a JSON pointer."""
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:])


def _stem(value: Mapping[str, Any], path: Path, places: dict[str, str], texts: dict[str, str]) -> dict[str, Any]:
    """An object without its long values, which are entered under their places and digests."""
    stem = dict[str, Any]()
    for key, inner in value.items():
        if isinstance(inner, dict):
            stem[key] = _stem(inner, (*path, key), places, texts)
        elif (text := _long_text(inner)) is not None:
            digest = hashlib.blake2b(text, digest_size=16).hexdigest()
            stem[key], places[pointer_of((*path, key))] = None, digest
            texts[digest] = text.decode()
        else:
            stem[key] = inner
    return stem


def _long_text(value: Any) -> bytes | None:
    """The JSON of a list or a text if that is long."""
    if not isinstance(value, list) and not (
        isinstance(value, str) and len(value) * _BYTES_OF_A_LETTER + 2 >= LEAST_PART_BYTES
    ):
        return None
    text = orjson.dumps(value)
    return text if len(text) >= LEAST_PART_BYTES else None
