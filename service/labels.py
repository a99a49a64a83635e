"""Labels: a spec's parts in a few words, for tables and figures."""

from collections.abc import Mapping
from typing import Any


def start_label(start: Mapping[str, Any]) -> str:
    """A start (the `init` of a resolved spec)."""
    if start["kind"] == "gaussian":
        return f"{start['std']:g} {'balanced' if start['balanced'] else 'unbalanced'}"
    return f"{start['scale']:g} x identity" if start["kind"] == "identity" else start["kind"]
