"""Figures of an experiment's runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from service.errors import FieldError, InvalidPayload, NotAvailable
from service.labels import model_label, start_label
from service.limits import exceeded
from service.settings import Limits
from service.store import runs as store
from service.store.database import Database
from service.store.runs import RunSelection
from service.store.trajectories import read_points
from service.use_cases.convergence import MEASURES, distances, measure_of
from service.use_cases.experiments import get_experiment
from service.use_cases.theory import find_verdict
from workers.columns import metrics_of
from workers.specs import RunSpec
from workers.theory.predictions import loss_scale
from workers.theory.settings import recognise

Row = Mapping[Any, Any]
Columns = Mapping[str, list[Any]]


def unobserved_entry_figure(database: Database, experiment_id: str, limits: Limits) -> bytes:
    """|Unobserved entry| against loss for every run of an experiment that has one, as PNG.

    Raises:
        NotFound: no such experiment.
        InvalidPayload: more runs than one figure may hold.
        NotAvailable: no run has both recorded points and exactly one unobserved entry.
    """
    from service.figures.unobserved_entry import Curve, draw_unobserved_entry

    found = _trajectories(database, experiment_id, limits, ("step", "loss", "unobserved_entry"))
    curves = [Curve(**_curve(database, row, columns)) for row, columns in found]
    if not curves:
        raise NotAvailable("No run of this experiment has recorded points with exactly one unobserved entry yet.")
    return draw_unobserved_entry(curves)


def component_norms_figure(database: Database, experiment_id: str, limits: Limits) -> bytes:
    """Norms of the largest components against steps for the first runs of an experiment, as PNG.

    Raises:
        NotFound: no such experiment.
        InvalidPayload: more runs than one figure may hold.
        NotAvailable: no run of a cp_tensor has recorded points.
    """
    from service.figures.component_norms import ComponentCurves, draw_component_norms

    found = _trajectories(database, experiment_id, limits, ("step", "component_norms"))
    curves = [
        ComponentCurves(start_label(row["spec"]), np.array(own["step"]), _numbers(own["component_norms"]))
        for row, own in found
    ]
    if not curves:
        raise NotAvailable("No run of this experiment has recorded the norms of components yet.")
    return draw_component_norms(curves)


def observations_figure(database: Database, experiment_id: str, limits: Limits) -> bytes:
    """Error and rank against the number of observations over the finished runs of an experiment, as PNG.

    Raises:
        NotFound: no such experiment.
        InvalidPayload: more runs than one figure may hold.
        NotAvailable: no finished run has a known target.
    """
    from service.figures.observations import ObservedRun, draw_observations

    rows = _rows(database, experiment_id, limits)
    runs = [ObservedRun(**_observed(row)) for row in rows if row["summary_target_rank"] is not None]
    if not runs:
        raise NotAvailable("No run of this experiment is over and has a known target whose rank was measured.")
    return draw_observations(runs)


def convergence_figure(database: Database, experiment_id: str, limits: Limits) -> bytes:
    """Distance of descents to the flow from the same start at equal time against learning rate, as PNG.

    Raises:
        NotFound: no such experiment.
        InvalidPayload: more runs than one figure may hold.
        NotAvailable: no descent of the experiment has a flow to follow.
    """
    from service.figures.convergence import DescentDistance, draw_convergence

    rows = _rows(database, experiment_id, limits)
    measure = measure_of(rows)
    found = [] if measure is None else [DescentDistance(**one) for one in distances(database, rows, measure)]
    if measure is None or not found:
        raise NotAvailable(
            "No descent of this experiment has a gradient_flow from the same start beside it, both with recorded "
            "points of the same entries or of exactly one unobserved entry."
        )
    return draw_convergence(found, MEASURES[measure])


FIGURES: dict[str, Callable[[Database, str, Limits], bytes]] = {
    "unobserved_entry": unobserved_entry_figure,
    "observations": observations_figure,
    "component_norms": component_norms_figure,
    "convergence": convergence_figure,
}
"""Every figure by its name in paths and presets."""


def _rows(database: Database, experiment_id: str, limits: Limits) -> Sequence[Row]:
    total = get_experiment(database, experiment_id).runs.total
    if total > limits.max_runs_per_figure:
        detail = exceeded("The runs of this figure would be", total, limits, "max_runs_per_figure")
        raise InvalidPayload([FieldError("", detail)])
    with database.reading() as connection:
        return store.list_runs(connection, RunSelection(experiment_id), total)


def _trajectories(
    database: Database, experiment_id: str, limits: Limits, names: Sequence[str]
) -> Iterator[tuple[Row, Columns]]:
    """Runs that have recorded all of these columns, with their points."""
    for row in _rows(database, experiment_id, limits):
        if set(names) <= {"step", *metrics_of(RunSpec.model_validate(row["spec"]))}:
            with database.reading() as connection:
                columns = read_points(connection, row["id"], names, None, None)
            if columns["step"]:
                yield row, columns


def _curve(database: Database, row: Row, columns: Columns) -> dict[str, Any]:
    """One run's points, the setting that theory knows it by, and the steps to mark."""
    spec = RunSpec.model_validate(row["spec"])
    with database.reading() as connection:
        marks = _theory(connection, row, spec)
    return {
        "panel": (row["depth"] or 0, model_label(row["spec"])),
        "label": start_label(row["spec"]),
        "step": np.array(columns["step"]),
        "loss": np.array(columns["loss"], dtype=float),
        "entry": np.array(columns["unobserved_entry"], dtype=float),
        "loss_scale": loss_scale(spec),
        **marks,
    }


def _theory(connection: sa.Connection, row: Row, spec: RunSpec) -> dict[str, Any]:
    """The setting of a run, and the steps to mark; after a sign below rounding, no change of it is marked."""
    recognised, verdict = recognise(spec.problem), find_verdict(connection, row, spec)
    undecided_from = None if isinstance(verdict, str) else verdict.undecided_from
    return {
        "setting": None if isinstance(recognised, str) else recognised.setting,
        "changed_at": row["summary_determinant_sign_changed_at"] if undecided_from is None else None,
        "undecided_from": undecided_from,
    }


def _observed(row: Row) -> dict[str, Any]:
    measured = {
        "error": row["summary_reconstruction_error"],
        "rank": row["summary_rank"],
        "linear_error": row["summary_linear_reconstruction_error"],
        "linear_rank": row["summary_linear_rank"],
        "target_rank": row["summary_target_rank"],
    }
    numbers = {name: float("nan") if value is None else float(value) for name, value in measured.items()}
    return {"observed": row["observed"], "label": start_label(row["spec"]), **numbers}


def _numbers(vectors: list[Any]) -> Any:
    """A vector column as an array (points, width); what is spelled as text becomes the float it names."""
    return np.array([[float(value) for value in vector] for vector in vectors])
