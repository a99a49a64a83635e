"""Theory: predictions for a run's recorded points."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from service.schemas.theory import (
    DecayPrediction,
    FactorisationPrediction,
    StabilityPrediction,
    Theory,
    TheorySetting,
    TightnessPrediction,
)
from service.store.database import Database
from service.store.point_rows import to_values
from service.store.points import Array, read_points
from service.use_cases.runs import find_row
from service.values.numbers import spell, spell_all
from workers.runs.metrics import TRAJECTORY_COLUMNS, shown_in
from workers.runs.spec import RunSpec
from workers.runs.theory import decay
from workers.runs.theory.factorisations import factorisation
from workers.runs.theory.settings import Recognised, recognised_in
from workers.runs.theory.verdicts import Verdict, columns_needed, judge

_SHOWN = ("step", "time", *shown_in("theory"))
"""Recorded columns shown beside the bounds."""

_OF_PHASES = ("phase", "step")
"""Columns that tell which points belong to the first phase."""


def get_theory(database: Database, run_id: str) -> Theory:
    """Predictions for a run's points so far, or the reason why there are none; raises NotFound."""
    with database.reading() as connection:
        row = find_row(connection, run_id)
        spec = row.spec
        recognised = recognised_in(spec)
        setting = None if isinstance(recognised, str) else recognised.setting
        decay_columns = decay.columns_needed() if spec.decays and len(spec.problem.shape) == 2 else ()
        judged = () if setting is None else (*_SHOWN, *columns_needed(spec))
        names = dict.fromkeys((*judged, *decay_columns))
        if not names:
            return Theory(run_id=run_id, applies=False, reason=str(recognised), factorisation=_factorisation(spec))
        points = read_points(connection, {row.id: list(dict.fromkeys((*names, *(_OF_PHASES if spec.phases else ()))))})
    columns, last_step = _of_first_phase(points.get(row.id) or dict.fromkeys(names, np.empty(0)))
    weight_decay = _decay(decay.decay_law(spec, setting, columns) if decay_columns else None)
    common: dict[str, Any] = {
        "run_id": run_id,
        "weight_decay": weight_decay,
        "factorisation": _factorisation(spec),
        "silent_after": last_step,
    }
    if isinstance(recognised, str):
        return Theory(applies=False, reason=recognised, **common)
    verdict = judge(spec, columns, row["summary_determinant_sign_changed_at"])
    common |= {
        "setting": _setting(recognised),
        "determinant_sign_changed_at": row["summary_determinant_sign_changed_at"],
    }
    if isinstance(verdict, str):
        return Theory(applies=False, reason=verdict, **common)
    shown = _shown(columns, verdict)
    return Theory(applies=True, columns=shown, points=len(shown["step"]), **common, **_predictions(verdict))


def _of_first_phase(columns: Mapping[str, Array]) -> tuple[Mapping[str, Array], int | None]:
    """The points of the first phase, of which alone theory speaks, and its last step if there are points after it."""
    if "phase" not in columns or not (columns["phase"] > 0).any():
        return columns, None
    first = columns["phase"] == 0
    return {name: column[first] for name, column in columns.items()}, int(columns["step"][first][-1])


def _factorisation(spec: RunSpec) -> FactorisationPrediction | None:
    said = factorisation(spec)
    return None if said is None else FactorisationPrediction.model_validate(asdict(said))


def _decay(law: decay.DecayLaw | None) -> DecayPrediction | None:
    return None if law is None else DecayPrediction.model_validate(asdict(law))


def _setting(recognised: Recognised) -> TheorySetting:
    return TheorySetting(
        **asdict(recognised.setting),
        unobserved=recognised.unobserved,
        needed_determinant_sign=1 if recognised.needed_sign > 0 else -1,
    )


def _shown(columns: Mapping[str, Array], verdict: Verdict) -> dict[str, list[Any]]:
    recorded = {name: spell_all(to_values(columns[name], TRAJECTORY_COLUMNS[name])) for name in _SHOWN}
    return recorded | {name: spell_all(column.tolist()) for name, column in verdict.columns.items()}


def _predictions(verdict: Verdict) -> dict[str, Any]:
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
