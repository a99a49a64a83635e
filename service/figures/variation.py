"""Variation: in which fields the runs of a figure differ, and how each difference looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import orjson

from service.figures.extents import share_of
from service.figures.picture import DASHES, Color, ColorScale, Dash, Shade
from service.values.digits import told_apart
from service.values.field_labels import field_label, setting_label
from workers.runs.models import MODELS
from workers.runs.models.solved import UNUSED
from workers.runs.parts import path_of, pieces_of

Leaves = Mapping[str, Any]

REPETITIONS = ("seed", "problem.seed")
"""Fields by which runs are repetitions of each other."""
MOST_COLORS, MOST_NAMES = 8, 12
_LOG_FROM = 20
"""Ratio of the largest to the least value from which a scale is logarithmic."""


@dataclass(frozen=True)
class Look:
    """How one run is drawn; `name` is what the legend calls it."""

    color: Color = 0
    dash: Dash = "solid"
    name: str = ""


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
    """Fields with more than one value, repetitions left out, those of `order` first.

    Of fields that tell the same runs apart (they move together), only the first is given.
    """
    paths = dict.fromkeys([*order, *(path for spec in specs for path in spec)])
    path_of: dict[tuple[int, ...], str] = {}
    for path in paths:
        codes: dict[Any, int] = {}
        partition = tuple(codes.setdefault(spec.get(path), len(codes)) for spec in specs)
        if len(codes) > 1 and path not in REPETITIONS:
            path_of.setdefault(partition, path)
    return list(path_of.values())


def values_of(path: str, specs: Sequence[Leaves]) -> list[Any]:
    """The different values of a field, ascending; where it is absent, None, last."""
    different = dict.fromkeys(spec.get(path) for spec in specs)
    return sorted(different, key=lambda value: (value is None, not isinstance(value, Real), _sortable(value)))


def looks_of(specs: Sequence[Leaves], varying: Sequence[str]) -> tuple[list[Look], ColorScale | None]:
    """A look for each run: the first varying field decides its colour, the second its dash where it has few values.

    Where the first is a number with many values, colours are sequential and the scale that explains them is returned.
    """
    if not varying:
        return [Look()] * len(specs), None
    by_color = values_of(varying[0], specs)
    if len(by_color) > MOST_COLORS and all(isinstance(value, Real) for value in by_color):
        return _shaded(specs, varying[0], by_color)
    by_dash = values_of(varying[1], specs) if len(varying) > 1 else [None]
    dashed = 1 < len(by_dash) <= len(DASHES) and len(by_color) * len(by_dash) <= MOST_NAMES
    names = labels_of(specs, varying[: 2 if dashed else 1]) if len(by_color) <= MOST_NAMES else [""] * len(specs)
    return [
        _look(spec, varying, by_color, by_dash if dashed else [], name) for spec, name in zip(specs, names, strict=True)
    ], None


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


def _look(spec: Leaves, varying: Sequence[str], by_color: Sequence[Any], by_dash: Sequence[Any], name: str) -> Look:
    color = by_color.index(spec.get(varying[0]))
    return Look(color, DASHES[by_dash.index(spec.get(varying[1]))] if by_dash else "solid", name)


def _shaded(specs: Sequence[Leaves], path: str, values: Sequence[float]) -> tuple[list[Look], ColorScale]:
    low, high = float(values[0]), float(values[-1])
    scale = ColorScale(field_label(path), low, high, "log" if is_wide((low, high)) else "linear")
    return [Look(Shade(share_of(float(spec[path]), low, high, scale.scale))) for spec in specs], scale


def _sortable(value: Any) -> Any:
    return value if isinstance(value, Real) else str(value)
