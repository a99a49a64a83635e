"""JSON merge patches (RFC 7396)."""

from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """A JSON value after a merge patch: objects are merged, null removes, and anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
