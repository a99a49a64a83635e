"""Verdicts: comparison of a run's recorded points with theory.

The bounds hold for every matrix whose determinant has the needed sign. Points are therefore judged up to the first one
where the determinant lacks that sign, or where rounding makes its sign uncertain; later points are not. For any U the
determinant of U U^T is at least 0. The bounds hold at 0 too, since they are continuous in the loss and U U^T is the
limit of products with a positive determinant. So all points of a symmetric model are judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.runs.losses import loss_weight
from workers.runs.noise import gradient_noise_of, label_noise_of
from workers.runs.spec import RunSpec
from workers.runs.theory import bounds
from workers.runs.theory.decay import limit_with_decay
from workers.runs.theory.predictions import StabilityLimit, TightnessLaw, stability_limit, tightness_law
from workers.runs.theory.rounding import distance_error, sign_is_certain
from workers.runs.theory.settings import Recognised, is_nearly_semidefinite, recognise, recognised_in

Array = npt.NDArray[np.float64]

TOLERANCE = 1e-9
"""Fraction of its bound by which an entry may fall below it before the bound counts as violated."""


@dataclass(frozen=True)
class Verdict:
    """Theory's statements about a run.

    Attributes:
        columns: name to (points,): `bound`, `distance_to_infimal_rank_at_most` and, where theory has them,
            `effective_rank_at_most` and `certificate`; each for a matrix of the point's loss with the needed sign.
        sign_held_until: the last step up to which the determinant had the needed sign at every recorded point.
        undecided_from: the first step at which rounding makes its sign uncertain, if it had the needed sign before.
        bound_holds: whether |unobserved entry| is at least its bound at every judged point, None without such a point.
        worst_margin: least ratio |unobserved entry| / bound over judged points with a positive bound, if any.
        predicted_limit: limit of the unobserved entry as the loss goes to zero, None where the loss cannot go to zero;
            with weight decay its size at the stationary point of rank one, None where theory knows none.
    """

    columns: Mapping[str, Array]
    sign_held_until: int | None
    undecided_from: int | None
    bound_holds: bool | None
    worst_margin: float | None
    predicted_limit: float | None
    tightness_law: TightnessLaw | None
    stability_limit: StabilityLimit | None


def columns_needed(spec: RunSpec) -> tuple[str, ...]:
    """Columns of a trajectory that a verdict of the run reads."""
    names = ["step", "time", "loss", "unobserved_entry"]
    names += ["spectral_norm", "distance_to_infimal_rank", "determinant_sign", "log_abs_determinant"]
    if len(spec.factor_shapes) > 1:
        names.append("balancedness_gap")
    return (*names, "entries") if _certified_entries(spec) else tuple(names)


def judge(spec: RunSpec, columns: Mapping[str, Any], changed_at: int | None = None) -> Verdict | str:
    """The verdict on a run, or a sentence on why theory says nothing of it.

    Args:
        columns: `columns_needed(spec)` as arrays (points,), `entries` (points, tracked); NaN where not a number.
        changed_at: the first recorded step at which the run's determinant had changed sign, if it did.
    """
    recognised = recognised_in(spec)
    if isinstance(recognised, str):
        return recognised
    if (refusal := _refusal(spec, recognised, columns)) is not None:
        return refusal
    step = columns["step"]
    held, undecided = _held(spec, recognised, columns, changed_at)
    margins = _margins(spec, recognised, columns)[held]
    time = float(columns["time"][-1]) if len(step) else 0.0
    return Verdict(
        columns=_bounds(spec, recognised, columns),
        sign_held_until=int(step[held][-1]) if held.any() else None,
        undecided_from=None if undecided is None else int(step[undecided]),
        bound_holds=bool((margins >= 1 - TOLERANCE).all()) if held.any() else None,
        worst_margin=float(margins.min()) if np.isfinite(margins).any() else None,
        predicted_limit=_limit(spec, recognised),
        tightness_law=tightness_law(spec, recognised.setting, time),
        stability_limit=stability_limit(spec, recognised.setting),
    )


def _held(
    spec: RunSpec, recognised: Recognised, columns: Mapping[str, Any], changed_at: int | None
) -> tuple[npt.NDArray[np.bool_], int | None]:
    """The judged points as a mask, and the index of the first point after them if its sign is uncertain.

    Points are judged as long as the sign is certain and the needed one.
    """
    if spec.model.is_symmetric:
        return np.logical_and.accumulate(np.isfinite(columns["determinant_sign"])), None
    certain = sign_is_certain(spec, columns)
    needed = columns["determinant_sign"] == recognised.needed_sign
    if changed_at is not None:
        needed &= columns["step"] < changed_at
    held = np.logical_and.accumulate(certain & needed)
    ended_at = int(np.count_nonzero(held))
    ended_uncertain = ended_at < len(held) and not certain[ended_at]
    return held, ended_at if ended_uncertain else None


def _refusal(spec: RunSpec, recognised: Recognised, columns: Mapping[str, Any]) -> str | None:
    """Why theory says nothing of a run although it covers the setting, as a sentence; None when it does."""
    if spec.model.is_symmetric:
        return _refusal_of_symmetric(recognised)
    if not spec.model.is_chain:
        return (
            f"Theory speaks of deep_matrix and symmetric_matrix factorisations, and this model is a {spec.model.kind}."
        )
    if min(min(shape) for shape in spec.factor_shapes) < recognised.setting.dimension:
        return "A hidden width below the dimension makes every determinant 0, and theory speaks of those that are not."
    if not len(columns["step"]) or not sign_is_certain(spec, columns)[0]:
        return None
    if columns["determinant_sign"][0] == -recognised.needed_sign:
        starts, needs = ("positive", "negative") if recognised.needed_sign < 0 else ("negative", "positive")
        return f"The determinant starts {starts}; theory speaks of this setting for {needs} determinants only."
    return None


def _refusal_of_symmetric(recognised: Recognised) -> str | None:
    if recognised.needed_sign > 0:
        return None
    return "U U^T never has a negative determinant; theory speaks of this setting for negative determinants only."


def _limit(spec: RunSpec, recognised: Recognised) -> float | None:
    """Limit of the unobserved entry; None where noise keeps the loss from zero, or a symmetric model is far from it."""
    if label_noise_of(spec) or gradient_noise_of(spec):
        return None
    if spec.decays:
        return limit_with_decay(spec, recognised.setting)
    reachable = not spec.model.is_symmetric or is_nearly_semidefinite(spec.problem)
    return recognised.predicted_limit if reachable else None


def _bounds(spec: RunSpec, recognised: Recognised, columns: Mapping[str, Any]) -> dict[str, Array]:
    setting, loss = recognised.setting, columns["loss"] / loss_weight(spec)
    bound_columns = {
        "bound": bounds.unobserved_entry_at_least(setting, loss),
        "distance_to_infimal_rank_at_most": bounds.distance_to_infimal_rank_at_most(setting, loss),
    }
    if (effective_rank := bounds.effective_rank_at_most(setting, loss)) is not None:
        bound_columns["effective_rank_at_most"] = effective_rank
    if positions := _certified_entries(spec):
        products = _observed_products(spec, positions, columns["entries"])
        bound_columns["certificate"] = bounds.certificate(products, recognised.unobserved, recognised.needed_sign)
    return bound_columns


def _margins(spec: RunSpec, recognised: Recognised, columns: Mapping[str, Any]) -> Array:
    """|unobserved entry| / bound at each point (points,), infinite where the bound is 0.

    The bound is taken at the largest loss that rounding can have turned into the recorded loss.
    """
    distance = bounds.distance_of(columns["loss"] / loss_weight(spec)) + distance_error(spec, columns)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        bound = bounds.unobserved_entry_at_distance(recognised.setting, distance)
        return np.where(bound > 0, np.abs(columns["unobserved_entry"]) / bound, np.inf)


def _certified_entries(spec: RunSpec) -> dict[tuple[int, ...], int]:
    """Position of each tracked entry among the tracked entries; empty unless every observed entry is tracked."""
    recognised = recognise(spec.problem)
    if isinstance(recognised, str):
        return {}
    positions = {index: number for number, index in enumerate(spec.record.entries)}
    observed = {index for index in np.ndindex(spec.problem.shape) if index != recognised.unobserved}
    return positions if observed <= positions.keys() else {}


def _observed_products(spec: RunSpec, positions: Mapping[tuple[int, ...], int], entries: Array) -> Array:
    """The product at each point (points, n, n), zero in the entries that are not tracked."""
    products = np.zeros((len(entries), *spec.problem.shape))
    for index, number in positions.items():
        products[:, *index] = entries[:, number]
    return products
