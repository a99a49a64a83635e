"""Variation: in which fields the runs of a figure differ, and what that is in words."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import orjson

from service.values.digits import told_apart
from service.values.field_labels import setting_label
from workers.runs.models import MODELS
from workers.runs.models.solved import UNUSED
from workers.runs.parts import path_of, pieces_of

Leaves = Mapping[str, Any]

REPETITIONS = ("seed", "problem.seed")
"""Fields by which runs are repetitions of each other."""
_LOG_FROM = 20
"""Ratio of the largest to the least value from which a scale is logarithmic."""


def leaves(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a resolved spec by their dotted paths; a list but phases is one value, its JSON text.

    Those that a baseline has for the descents of its sweep alone are left out.
    """
    model = MODELS.get(spec.get("model", {}).get("kind"))  # None of a newer server
    if model is not None and not model.is_trained:
        spec = {name: part for name, part in spec.items() if name not in UNUSED}
    pieces = pieces_of(spec)
    flat = _leaves(pieces.stem, "") | {
        ".".join(path_of(pointer)): _long_leaf(pieces.parts.texts[digest]) for pointer, digest in pieces.places.items()
    }
    phases = orjson.loads(flat.pop("phases", None) or "[]")
    return flat | _leaves({str(number): phase for number, phase in enumerate(phases)}, "phases.")


def _long_leaf(text: str) -> str:
    return text if text.startswith("[") else orjson.loads(text)


def _leaves(spec: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in spec.items():
        if isinstance(value, Mapping):
            flat |= _leaves(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = orjson.dumps(value).decode() if isinstance(value, list) else value
    return flat


def varying_paths(specs: Sequence[Leaves], order: Sequence[str] = ()) -> list[str]:
    """Fields with more than one value, repetitions left out, those of `order` first, and a part's kind before the rest.

    Of fields that tell the same runs apart (they move together), only the first is given.
    """
    inside = dict.fromkeys(path for spec in specs for path in spec)
    kinds = {path.partition(".")[0]: path for path in inside if path.endswith(".kind") and path.count(".") == 1}
    first = (with_kind for path in inside for with_kind in (kinds.get(path.partition(".")[0], path), path))
    paths = dict.fromkeys([*order, *first])
    telling: dict[tuple[int, ...], str] = {}
    for path in paths:
        partition = partition_of(spec.get(path) for spec in specs)
        if max(partition, default=0) and path not in REPETITIONS:
            telling.setdefault(partition, path)
    return list(telling.values())


def values_of(path: str, specs: Sequence[Leaves]) -> list[Any]:
    """The different values of a field, ascending; where it is absent, None, last."""
    different = dict.fromkeys(spec.get(path) for spec in specs)
    return sorted(different, key=lambda value: (value is None, not isinstance(value, Real), _sortable(value)))


def partition_of(values: Iterable[Hashable]) -> tuple[int, ...]:
    """The same number for equal values, from 0 in the order of their first."""
    codes = dict[Hashable, int]()
    return tuple(codes.setdefault(value, len(codes)) for value in values)


def label_of(spec: Leaves, paths: Sequence[str]) -> str:
    """What a run has in some fields, in words, with every digit of its numbers."""
    return ", ".join(setting_label(path, spec.get(path), repr) for path in paths)


def labels_of(specs: Sequence[Leaves], paths: Sequence[str]) -> list[str]:
    """What each run has in some fields, in words, with as many digits as tell the values of a field apart."""
    labels = [_labels_of_field(path, [spec.get(path) for spec in specs]) for path in paths]
    return [", ".join(label[index] for label in labels) for index in range(len(specs))]


def _labels_of_field(path: str, values: Sequence[Any]) -> list[str]:
    texts = dict(zip(values, told_apart(values), strict=True))
    return [setting_label(path, value, texts.__getitem__) for value in values]


def is_wide(values: Sequence[float]) -> bool:
    """Whether values are positive and so far apart that a logarithmic scale shows them better."""
    return min(values) > 0 and max(values) / min(values) >= _LOG_FROM


def _sortable(value: Any) -> Any:
    return value if isinstance(value, Real) else str(value)
