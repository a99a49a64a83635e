"""Theory: what it says of a run's recorded points."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from service.schemas import StabilityPrediction, Theory, TheorySetting, TightnessPrediction
from service.store.database import Database
from service.store.run_rows import RunRow
from service.store.trajectories import read_points
from service.use_cases.runs import find_row
from service.values.numbers import spell, spell_all
from workers.runs.theory.settings import Recognised, recognise
from workers.runs.theory.verdicts import Verdict, columns_needed, judge

_SHOWN = ("step", "time", "loss", "unobserved_entry", "determinant_sign", "effective_rank", "distance_to_infimal_rank")
"""Recorded columns that stand beside the bounds."""


def get_theory(database: Database, run_id: str) -> Theory:
    """What theory says of a run's points so far, or why it says nothing; raises NotFound."""
    with database.reading() as connection:
        row = find_row(connection, run_id)
        spec = row.spec
        recognised = recognise(spec.problem)
        if isinstance(recognised, str):
            return Theory(run_id=run_id, applies=False, reason=recognised)
        names = dict.fromkeys((*_SHOWN, *columns_needed(spec)))
        columns = read_points(connection, row.id, list(names), None, None)
    verdict = _judge(row, columns)
    found: dict[str, Any] = {
        "run_id": run_id,
        "setting": _setting(recognised),
        "determinant_sign_changed_at": row["summary_determinant_sign_changed_at"],
    }
    if isinstance(verdict, str):
        return Theory(applies=False, reason=verdict, **found)
    points = len(columns["step"])
    return Theory(applies=True, columns=_shown(columns, verdict), points=points, **found, **_said(verdict))


def _judge(row: RunRow, columns: Mapping[str, list[Any]]) -> Verdict | str:
    arrays = {name: _as_array(column) for name, column in columns.items()}
    return judge(row.spec, arrays, row["summary_determinant_sign_changed_at"])


def _setting(recognised: Recognised) -> TheorySetting:
    return TheorySetting(
        **asdict(recognised.setting),
        unobserved=recognised.unobserved,
        needed_determinant_sign=1 if recognised.needed_sign > 0 else -1,
    )


def _shown(columns: Mapping[str, list[Any]], verdict: Verdict) -> dict[str, list[Any]]:
    recorded = {name: spell_all(columns[name]) for name in _SHOWN}
    return recorded | {name: spell_all(column.tolist()) for name, column in verdict.columns.items()}


def _said(verdict: Verdict) -> dict[str, Any]:
    law, limit = verdict.tightness_law, verdict.stability_limit
    return {
        "sign_held_until": verdict.sign_held_until,
        "undecided_from": verdict.undecided_from,
        "bound_holds": verdict.bound_holds,
        "worst_margin": verdict.worst_margin,
        "predicted_limit": spell(verdict.predicted_limit),
        "tightness_law": None if law is None else TightnessPrediction(**asdict(law)),
        "stability_limit": None if limit is None else StabilityPrediction(**asdict(limit)),
    }


def _as_array(column: list[Any]) -> npt.NDArray[Any]:
    """A stored column as numbers; vectors are stored with non-finite numbers spelled out."""
    if column and isinstance(column[0], list):
        return np.array([[float(value) for value in vector] for vector in column])
    return np.array([np.nan if value is None else value for value in column])
