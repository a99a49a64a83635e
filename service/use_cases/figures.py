"""Figures of an experiment's runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import sqlalchemy as sa

from service.errors import FieldError, InvalidPayload, NotAvailable
from service.labels import start_label
from service.limits import exceeded
from service.settings import Limits
from service.store import runs as store
from service.store.database import Database
from service.store.runs import RunSelection
from service.store.trajectories import read_points
from service.use_cases.experiments import get_experiment
from service.use_cases.theory import find_verdict
from workers.columns import metrics_of
from workers.specs import RunSpec
from workers.theory.predictions import loss_scale
from workers.theory.settings import recognise


def unobserved_entry_figure(database: Database, experiment_id: str, limits: Limits) -> bytes:
    """|Unobserved entry| against loss for every run of an experiment that has one, as PNG.

    Raises:
        NotFound: no such experiment.
        InvalidPayload: more runs than one figure may hold.
        NotAvailable: no run has both recorded points and exactly one unobserved entry.
    """
    total = get_experiment(database, experiment_id).runs.total
    if total > limits.max_runs_per_figure:
        detail = exceeded("The runs of this figure would be", total, limits, "max_runs_per_figure")
        raise InvalidPayload([FieldError("", detail)])
    from service.figures.unobserved_entry import Curve, draw_unobserved_entry

    curves = [Curve(**fields) for fields in _curves(database, experiment_id, total)]
    if not curves:
        raise NotAvailable("No run of this experiment has recorded points with exactly one unobserved entry yet.")
    return draw_unobserved_entry(curves)


def _curves(database: Database, experiment_id: str, total: int) -> list[dict[str, Any]]:
    with database.reading() as connection:
        rows = store.list_runs(connection, RunSelection(experiment_id), total)
        curves = [_curve(connection, row, RunSpec.model_validate(row["spec"])) for row in rows]
    return [curve for curve in curves if curve is not None]


def _curve(connection: sa.Connection, row: Mapping[str, Any], spec: RunSpec) -> dict[str, Any] | None:
    """One run's points and marks; None where it has no unobserved entry, or no points yet."""
    if "unobserved_entry" not in metrics_of(spec):
        return None
    columns = read_points(connection, row["id"], ("step", "loss", "unobserved_entry"), None, None)
    if not columns["step"]:
        return None
    return {
        "depth": row["depth"],
        "label": start_label(row["spec"]["init"]),
        "step": np.array(columns["step"]),
        "loss": np.array(columns["loss"], dtype=float),
        "entry": np.array(columns["unobserved_entry"], dtype=float),
        "loss_scale": loss_scale(spec),
        **_theory(connection, row, spec),
    }


def _theory(connection: sa.Connection, row: Mapping[str, Any], spec: RunSpec) -> dict[str, Any]:
    """The setting of a run, and the steps to mark; after a sign below rounding, no change of it is marked."""
    recognised, verdict = recognise(spec.problem), find_verdict(connection, row, spec)
    undecided_from = None if isinstance(verdict, str) else verdict.undecided_from
    return {
        "setting": None if isinstance(recognised, str) else recognised.setting,
        "changed_at": row["summary_determinant_sign_changed_at"] if undecided_from is None else None,
        "undecided_from": undecided_from,
    }
