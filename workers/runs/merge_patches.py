"""JSON merge patches (RFC 7396)."""

from typing import Any


def merge_patch(target: Any, patch: Any, *, by_kind: bool = False) -> Any:
    """A JSON value after a merge patch: objects are merged, null removes, and anything else replaces.

    Args:
        by_kind: an object that names another `kind` replaces the whole object before it.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) and not (by_kind and _is_another(target, patch)) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value, by_kind=by_kind)
    return merged


def _is_another(target: dict[str, Any], patch: dict[str, Any]) -> bool:
    return "kind" in patch and patch["kind"] != target.get("kind")
