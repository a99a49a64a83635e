"""Specs checked and split, stored and read: what runs have in common is looked at once."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import Any

import orjson
from cachetools import LRUCache
from pydantic import TypeAdapter, ValidationError

from workers.runs.base import SpecModel
from workers.runs.parts import Parts, Pieces, join, path_of, split
from workers.runs.problems import Problem
from workers.runs.spec import RunSpec, filled_in
from workers.runs.starts import Start

PARTS: dict[str, TypeAdapter[Any]] = {"problem": TypeAdapter(Problem), "init": TypeAdapter(Start)}
"""Fields of a run that may hold many numbers."""

MOST_PARTS = 256
"""Values of these fields that are kept: those of the base, and the values of an axis."""

MOST_SPLIT_BYTES = 2**26
"""JSON of those that were split, which is kept for further runs."""


class RunReader:
    """Turns runs as JSON values into specs; a part that is the same object in several runs is checked once.

    The JSON values are not to be changed as long as the reader lives.
    """

    def __init__(self) -> None:
        self._kept: LRUCache[int, tuple[Any, Any]] = LRUCache(MOST_PARTS)

    def read(self, run: Mapping[str, Any]) -> RunSpec:
        """The spec of a run; raises pydantic.ValidationError."""
        run = filled_in(run)
        return RunSpec.model_validate({**run, **{name: self._part(name, run[name]) for name in PARTS if name in run}})

    def _part(self, name: str, value: Any) -> Any:
        """A checked part; a wrong one as it is, so that the run's errors say what is wrong."""
        kept = self._kept.get(id(value))
        if kept is not None:
            return kept[1]
        try:
            checked = PARTS[name].validate_python(value)
        except ValidationError:
            return value
        self._kept[id(value)] = value, checked  # holds the value, so that its id stays its own
        return checked


class Splitter:
    """Splits specs; a part that is the same object in several specs is written as JSON once."""

    def __init__(self) -> None:
        self._kept: LRUCache[int, tuple[SpecModel, Pieces]] = LRUCache(MOST_SPLIT_BYTES, getsizeof=_split_bytes)

    def split(self, spec: RunSpec) -> Pieces:
        """The pieces of `spec.resolved()`."""
        pieces = [split(spec.resolved(without=PARTS)), *(self._part(name, getattr(spec, name)) for name in PARTS)]
        fields = {name: value for piece in pieces for name, value in piece.stem.items()}
        return Pieces(
            {name: fields[name] for name in RunSpec.model_fields if name in fields},
            {place: digest for piece in pieces for place, digest in piece.places.items()},
            Parts({digest: text for piece in pieces for digest, text in piece.parts.texts.items()}),
        )

    def _part(self, name: str, part: SpecModel) -> Pieces:
        kept = self._kept.get(id(part))
        if kept is not None:
            return kept[1]
        pieces = split({name: part.model_dump(mode="json", exclude_none=True)})
        with suppress(ValueError):  # larger than all that is kept
            self._kept[id(part)] = part, pieces  # holds the part, so that its id stays its own
        return pieces


def _split_bytes(kept: tuple[SpecModel, Pieces]) -> int:
    return 1000 + sum(map(len, kept[1].parts.texts.values()))


class StoredReader:
    """Turns stored specs, which were checked before, into specs; those with equal long parts share them.

    Args:
        most_bytes: JSON of the long parts that are kept for further specs.
    """

    def __init__(self, most_bytes: int) -> None:
        self._kept: LRUCache[Any, tuple[Any, int]] = LRUCache(most_bytes, getsizeof=lambda kept: kept[1])
        self._guard = Lock()

    def read(self, pieces: Pieces) -> RunSpec:
        """The spec of the pieces; safe in threads."""
        if not pieces.places:
            return RunSpec.model_validate(pieces.stem)
        inside = {name: below for name in PARTS if (below := _below(name, pieces.places))}
        shared = {name: self._part(name, replace(pieces, places=below)) for name, below in inside.items()}
        others = {place: digest for place, digest in pieces.places.items() if path_of(place)[0] not in inside}
        return RunSpec.model_validate({**join(replace(pieces, places=others)), **shared})

    def _part(self, name: str, pieces: Pieces) -> Any:
        """A part of which all long values are given by the places."""
        key = name, orjson.dumps(pieces.stem[name]), *pieces.places.items()
        with self._guard:
            kept = self._kept.get(key)
        if kept is not None:
            return kept[0]
        checked = PARTS[name].validate_python(join(pieces)[name])
        with self._guard, suppress(ValueError):  # larger than all that is kept
            return self._kept.setdefault(key, (checked, pieces.long_characters))[0]
        return checked


def _below(name: str, places: Mapping[str, str]) -> dict[str, str]:
    """The places inside a field of a run."""
    return {place: digest for place, digest in places.items() if path_of(place)[0] == name}
