"""The runs that a figure draws, and their data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import sqlalchemy as sa

from service.figures.kinds.base import Ask, DrawnRun, Kind
from service.settings import Limits
from service.store import figure_data as store
from service.store.points import read_points
from service.use_cases.experiments import find_row
from service.values.specs import parse_spec, text_of
from workers.runs.costs import points_until
from workers.runs.spec import RunSpec

Row = Mapping[Any, Any]
_DECIDES_COLUMNS = ("problem", "model", "loss", "record")
"""Parts of a spec that determine, with the optimiser's kind, the columns and thus the figures of a run."""


RUNS_AT_ONCE = 500
"""Specs that are read together, until enough runs are chosen."""


@dataclass(frozen=True, eq=False)
class Source:
    """An experiment that a figure reads.

    Attributes:
        id: internal id.
        label: its name in the figure.
        order: dotted paths of its sweep, in order.
        sorts: a spec of each sort of its runs, as JSON values.
    """

    id: int
    label: str
    order: tuple[str, ...]
    sorts: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Chosen:
    """The runs of a source that are drawn, in the order of submission, with their internal ids.

    Attributes:
        of: number of all runs of the source.
        is_sample: whether runs were left out.
    """

    runs: Sequence[tuple[int, DrawnRun]]
    of: int
    is_sample: bool


def read_source(connection: sa.Connection, experiment_id: str) -> Source:
    """An experiment with the sorts of its runs; raises NotFound."""
    experiment = find_row(connection, experiment_id)
    order = tuple(path for axis in experiment["sweep"] for path in axis)
    label = experiment["name"] if experiment["name"].strip() else f"experiment {experiment_id[-8:]}"
    return Source(experiment["id"], label, order, store.read_sorts(connection, experiment["id"]))


def told_apart(sources: Sequence[Source]) -> list[Source]:
    """The sources with unique labels; equal labels are numbered."""
    labels = [source.label for source in sources]
    numbered = (number for number in count(1) if not any(label.endswith(f" ({number})") for label in labels))
    return [
        source if labels.count(source.label) == 1 else replace(source, label=f"{source.label} ({next(numbered)})")
        for source in sources
    ]


def sorts_of(sources: Iterable[Source]) -> list[RunSpec]:
    """A spec of each sort of run; all runs of a sort have the same columns."""
    sorts: dict[tuple[bytes, str], Any] = {}
    for spec in (spec for source in sources for spec in source.sorts):
        sorts.setdefault((text_of(spec, _DECIDES_COLUMNS), spec["optimizer"]["kind"]), spec)
    return [parse_spec(spec) for spec in sorts.values()]


def choose(connection: sa.Connection, source: Source, kind: Kind, ask: Ask, limits: Limits, sources: int) -> Chosen:
    """The runs of a source to draw.

    Runs beyond the limits are left out at random, so that no axis of a sweep is favoured, but always the same ones.
    """
    states = store.read_states(connection, source.id)
    chosen: list[tuple[int, DrawnRun]] = []
    most_runs = limits.max_runs_per_figure if kind.reads_points else limits.max_summaries_per_figure
    most_runs, points_left = max(1, most_runs // sources), limits.max_points_read_per_figure // sources
    for row, run in _candidates(connection, source, kind, states):
        if kind.reads_points:
            if not kind.columns(run.spec, ask):
                continue
            points_left -= points_until(run.spec, row["step"]) + 1
        if chosen and (len(chosen) == most_runs or points_left < 0):
            return Chosen(sorted(chosen, key=_run_index), len(states.ids), is_sample=True)
        chosen.append((row["id"], run))
    return Chosen(sorted(chosen, key=_run_index), len(states.ids), is_sample=False)


def _run_index(numbered: tuple[int, DrawnRun]) -> int:
    return numbered[1].row["index"]


def read_runs(connection: sa.Connection, chosen: Chosen, kind: Kind, ask: Ask) -> Iterator[DrawnRun]:
    """The chosen runs of a source, with the columns of summaries and points that the kind reads."""
    names, ids = kind.summary(ask), [run_id for run_id, _ in chosen.runs]
    summaries = store.read_summaries(connection, ids, names) if names else {}
    wanted = {run_id: kind.columns(run.spec, ask) for run_id, run in chosen.runs} if kind.reads_points else {}
    points = read_points(connection, wanted)
    for run_id, run in chosen.runs:
        if not kind.reads_points or run_id in points:
            yield replace(run, row={**run.row, **summaries.get(run_id, {})}, columns=points.get(run_id, {}))


def _candidates(
    connection: sa.Connection, source: Source, kind: Kind, states: store.RunStates
) -> Iterator[tuple[Row, DrawnRun]]:
    """The runs with data that the kind reads, in a random order that is always the same."""
    ready = states.ids[states.have_points if kind.reads_points else states.have_points & states.are_over]
    in_order = ready[np.random.default_rng(0).permutation(len(ready))].tolist()
    for start in range(0, len(in_order), RUNS_AT_ONCE):
        for row in store.read_specs(connection, in_order[start : start + RUNS_AT_ONCE]):
            yield row, DrawnRun(row["public_id"], source.label, row["spec"], row)
