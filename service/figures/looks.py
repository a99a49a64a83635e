"""Looks: which colour, dash and name in the legend each run of a figure has, from the fields in which runs differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

from service.figures.extents import share_of
from service.figures.picture import DASHES, Color, ColorScale, Dash, Shade
from service.figures.variation import Leaves, is_wide, labels_of, partition_of, values_of
from service.values.field_labels import field_label

MOST_COLORS, MOST_NAMES = 8, 12


@dataclass(frozen=True)
class Look:
    """How one run is drawn; `name` is what the legend calls it."""

    color: Color = 0
    dash: Dash = "solid"
    name: str = ""


def looks_of(specs: Sequence[Leaves], varying: Sequence[str]) -> tuple[list[Look], ColorScale | None]:
    """A look for each run: the first varying field decides its colour, a second its dash where it has few values.

    The second is one that tells runs of a colour apart, and names of runs without it leave it out. Where the first is
    a number with many values, colours are sequential and the scale that explains them is returned.
    """
    if not varying:
        return [Look()] * len(specs), None
    by_color = values_of(varying[0], specs)
    if len(by_color) > MOST_COLORS and all(isinstance(value, Real) for value in by_color):
        return _shaded(specs, varying[0], by_color)
    colors = [by_color.index(spec.get(varying[0])) for spec in specs]
    names = labels_of(specs, varying[:1]) if len(by_color) <= MOST_NAMES else [""] * len(specs)
    looks = [Look(color, "solid", name) for color, name in zip(colors, names, strict=True)]
    second = _second(specs, varying)
    return (_dashed(specs, looks, varying[0], second) if second else looks), None


def _dashed(specs: Sequence[Leaves], looks: Sequence[Look], first: str, second: str) -> list[Look]:
    """The looks with dashes by a second field, and names that have it, unless there are too many."""
    values, by_dash = [spec.get(second) for spec in specs], values_of(second, specs)
    pairs = {(look.color, value) for look, value in zip(looks, values, strict=True)}
    if len(by_dash) > len(DASHES) or len(pairs) > MOST_NAMES:
        return list(looks)
    colors = [color for color, _ in pairs]
    has = [value is not None or colors.count(look.color) > 1 for look, value in zip(looks, values, strict=True)]
    dashes: list[Dash] = [DASHES[by_dash.index(value)] for value in values]
    both = labels_of(specs, [first, second])
    return [
        Look(look.color, dash, name) if told else look
        for look, dash, name, told in zip(looks, dashes, both, has, strict=True)
    ]


def _second(specs: Sequence[Leaves], varying: Sequence[str]) -> str | None:
    """The field after the first that tells further runs apart; of those that tell the same, the shortest path."""
    firsts = [spec.get(varying[0]) for spec in specs]
    told = {path: partition_of(zip(firsts, (spec.get(path) for spec in specs), strict=True)) for path in varying[1:]}
    telling = [path for path in told if told[path] != partition_of(firsts)]
    same = [path for path in telling if told[path] == told[telling[0]]]
    return min(same, key=lambda path: path.count("."), default=None)


def _shaded(specs: Sequence[Leaves], path: str, values: Sequence[float]) -> tuple[list[Look], ColorScale]:
    low, high = float(values[0]), float(values[-1])
    scale = ColorScale(field_label(path), low, high, "log" if is_wide((low, high)) else "linear")
    return [Look(Shade(share_of(float(spec[path]), low, high, scale.scale))) for spec in specs], scale
