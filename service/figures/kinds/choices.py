"""Choices that several kinds let a caller make: metrics and abscissas, checked against what the runs have."""

from collections.abc import Iterable, Sequence

from service.figures.kinds.base import refuse
from service.figures.metric_axes import ABSCISSAS
from workers.runs.metrics import METRICS, metrics_of
from workers.runs.spec import RunSpec


def metrics_there_are(specs: Sequence[RunSpec]) -> list[str]:
    """The metrics that some of the runs have, in the order of METRICS."""
    recorded = {name for spec in specs for name in metrics_of(spec)}
    return [name for name in METRICS if name in recorded]


def check_metrics(parameter: str, names: Iterable[str], there_are: Sequence[str]) -> None:
    """Raise InvalidPayload unless some run has each of these."""
    for name in names:
        if name not in there_are:
            why = "No run of this experiment has the metric" if name in METRICS else "There is no metric"
            raise refuse(parameter, f"{why} {name!r}; its runs have {', '.join(there_are)}.")


def check_abscissa(x: str) -> str:
    """The abscissa; raises InvalidPayload unless a trajectory can be drawn against it."""
    if x not in ABSCISSAS:
        raise refuse("x", f"A trajectory is drawn against {', '.join(ABSCISSAS[:-1])} or {ABSCISSAS[-1]}, not {x!r}.")
    return x
