"""Labels of fields: what a spec has at a path, in a few words."""

from collections.abc import Callable
from typing import Any

_VAGUE = ("kind", "rank", "seed", "std", "scale", "value", "norm", "noise", "shape", "determinant")


def field_label(path: str) -> str:
    """A field of a spec in words, given its dotted path; names that say little alone keep their part's."""
    if path.startswith("phases.") and path.count(".") > 1:
        _, number, inside = path.split(".", 2)
        return f"phase {int(number) + 1} {field_label(inside)}"  # the run's first part is phase 0
    part, _, name = path.rpartition(".")
    return f"{part} {name}".replace("_", " ").strip() if name in _VAGUE else name.replace("_", " ")


def setting_label(path: str, value: Any, number: Callable[[float], str] = "{:g}".format) -> str:
    """What a run has in a field, in a few words; None where the field is absent.

    Args:
        number: writes a float.
    """
    label = field_label(path)
    if value is None:
        return f"no {label}"
    if isinstance(value, bool):
        return label if value else f"not {label}"
    if isinstance(value, str):
        return value.replace("_", " ") if path.endswith("kind") else f"{label} {value}"
    return f"{label} {number(value)}" if isinstance(value, float) else f"{label} {value}"
