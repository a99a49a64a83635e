"""Labels: the parts of a spec in a few words, for tables and figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.values.digits import MOST_DIGITS
from workers.runs.models import MODELS
from workers.runs.rates import SCHEDULES
from workers.runs.starts import LABEL_DIGITS, STARTS


def start_labels(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The starts of runs, given their resolved specs, with as many digits as tell apart those that differ."""
    exact = len({start_label(spec, MOST_DIGITS) for spec in specs})
    labels = [start_label(spec) for spec in specs]
    for digits in range(LABEL_DIGITS + 1, MOST_DIGITS + 1):
        if len(set(labels)) == exact:
            break
        labels = [start_label(spec, digits) for spec in specs]
    return labels


def start_label(spec: Mapping[str, Any], digits: int = LABEL_DIGITS) -> str:
    """The start of a run, given its resolved spec; only products of matrices are balanced or not."""
    model, start = MODELS.get(spec["model"]["kind"]), STARTS.get(spec["init"]["kind"])
    if model is None or start is None:  # of a newer server
        return spec["init"]["kind"]
    if not model.is_trained:
        return model_label(spec)
    return start.model_construct(**spec["init"]).label(not model.sums_components, digits)


def rate_label(spec: Mapping[str, Any]) -> str:
    """The learning rate of a run, given its resolved spec; a flow is the limit of small ones."""
    rate = spec["optimizer"].get("learning_rate")
    if isinstance(rate, Mapping):
        schedule = SCHEDULES.get(rate["kind"])  # None of a newer server
        return rate["kind"] if schedule is None else schedule.model_validate(rate).label
    return "flow" if rate is None else f"{rate:g}"


def model_label(spec: Mapping[str, Any]) -> str:
    """The model of a run, given its resolved spec."""
    return MODELS[spec["model"]["kind"]].model_construct(**spec["model"]).label()
