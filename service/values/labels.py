"""Labels: a spec's parts in a few words, for tables and figures."""

from collections.abc import Mapping
from typing import Any


def start_label(spec: Mapping[str, Any]) -> str:
    """The start of a run, given its resolved spec; only products of matrices are balanced or not."""
    if spec["model"]["kind"] == "nuclear_norm":
        return "nuclear norm"
    start = spec["init"]
    if start["kind"] == "identity":
        return f"{start['scale']:g} x identity"
    if start["kind"] != "gaussian":
        return start["kind"]
    balance = "balanced" if start["balanced"] else "unbalanced"
    return f"{start['std']:g}" if spec["model"]["kind"] == "cp_tensor" else f"{start['std']:g} {balance}"


def rate_label(spec: Mapping[str, Any]) -> str:
    """The learning rate of a run, given its resolved spec; a flow is the limit of small ones."""
    rate = spec["optimizer"].get("learning_rate")
    return "flow" if rate is None else f"{rate:g}"


def model_label(spec: Mapping[str, Any]) -> str:
    """The model of a run, given its resolved spec."""
    model = spec["model"]
    match model["kind"]:
        case "deep_matrix":
            return f"depth {model['depth']}"
        case "symmetric_matrix":
            return f"symmetric, rank {model['rank']}" if "rank" in model else "symmetric"
        case "nuclear_norm":
            return "nuclear norm"
        case _:
            return "components of a tensor"


_VAGUE = ("kind", "rank", "seed", "std", "scale", "norm", "noise", "shape", "determinant")


def field_label(path: str) -> str:
    """A field of a spec in words, given its dotted path; names that say little alone keep their part's."""
    part, _, name = path.rpartition(".")
    return f"{part} {name}".replace("_", " ").strip() if name in _VAGUE else name.replace("_", " ")


def setting_label(path: str, value: Any) -> str:
    """What a run has in a field, in a few words; None where the field is absent."""
    label = field_label(path)
    if value is None:
        return f"no {label}"
    if isinstance(value, bool):
        return label if value else f"not {label}"
    if isinstance(value, str):
        return value.replace("_", " ") if path.endswith("kind") else f"{label} {value}"
    return f"{label} {value:g}" if isinstance(value, float) else f"{label} {value}"
