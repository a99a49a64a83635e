"""Phases: parts of a run, one after the other in one trajectory, with the factors carried over.

Every phase of a run is a plain run that begins where the phase before it ended. A worker descends with the plain spec
of the present phase, which counts steps from the beginning of the whole run. The only traces of the phases before are
where they ended (`workers.records.PhaseEnd`): from there a schedule and an optimiser that begin anew are counted.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import PlainSerializer
from pydantic_core import PydanticCustomError

from workers.records import PhaseEnd
from workers.runs.base import SpecModel, misfit
from workers.runs.losses import Loss
from workers.runs.merge_patches import merge_patch
from workers.runs.models import Model
from workers.runs.optimizers import Optimizer
from workers.runs.optimizers.base import Origins
from workers.runs.problems import Problem
from workers.runs.stops import Stop

if TYPE_CHECKING:
    from workers.runs.spec import RunSpec

MOST_PHASES = 1000

BEGINNING = PhaseEnd(0, 0.0)
"""Where the first phase of a run begins."""

PARTS = ("problem", "model", "loss", "optimizer")
"""What a phase may change."""


def _with_nulls(part: SpecModel | None) -> Any:
    """A part as JSON values with its nulls: merged over the part before it again, it is the same."""
    return None if part is None else part.model_dump(mode="json")


_WithNulls = PlainSerializer(_with_nulls)


class Phase(SpecModel, frozen=True):
    """A further phase of a run, with what it changes.

    A part is posted as a merge patch over that of the phase before: objects are merged, null removes, and an object
    that names another kind replaces the one before. A stored part is whole. `stop` is the phase's alone: `max_steps`
    counts the phase's steps, and `loss_below` is a limit of its loss, tested after each of its steps.

    `optimizer_state` says whether what the optimiser carries from step to step goes on: it does by default where the
    kind stays. `schedule` says whether the steps of the learning rate's schedule are counted on, or from the phase's
    first step, which is the default where the phase gives a learning rate.
    """

    problem: Annotated[Problem | None, _WithNulls] = None
    model: Annotated[Model | None, _WithNulls] = None
    loss: Annotated[Loss | None, _WithNulls] = None
    optimizer: Annotated[Optimizer | None, _WithNulls] = None
    stop: Stop
    optimizer_state: Literal["carried", "reset"] = "carried"
    schedule: Literal["continued", "restarted"] = "continued"

    def changes(self) -> dict[str, Any]:
        """The parts that differ from those of the phase before, by name, and the stop."""
        parts = {name: part for name in PARTS if (part := getattr(self, name)) is not None}
        return {**parts, "stop": self.stop}


_FLOW_NUMBERS = (
    "the points of a gradient_flow are numbered by their times from its start, so that the end of a phase and the next "
    "point of the schedule would have the same number"
)
_FLOW_WITH_PHASES = (
    f"Phases are parts of a descent: {_FLOW_NUMBERS}. Leave the phases out, and let a second run start at the factors "
    "of the first, with the start {'kind': 'run', 'id': ...}; or take gradient_descent with a small learning rate."
)
_FLOW_AS_PHASE = (
    f"All phases of a run descend: {_FLOW_NUMBERS}. Take an optimiser that takes steps, or end the run here, and let a "
    "run of gradient_flow start at its factors, with the start {'kind': 'run', 'id': ...}."
)


class _Whole(dict[str, Any]):
    """A phase as JSON values whose parts were merged already."""


def with_whole_phases(run: Any) -> Any:
    """A run as JSON values, the parts of its phases merged over those before; any other value as it is."""
    if not isinstance(run, Mapping) or not isinstance(run.get("phases"), list | tuple):
        return run
    before, phases = {name: _as_json(run.get(name)) for name in PARTS}, list[Any]()
    for phase in run["phases"]:
        whole = _merged(before, phase) if isinstance(phase, dict) and not isinstance(phase, _Whole) else phase
        before |= {name: _as_json(part) for name in PARTS if (part := _part(whole, name)) is not None}
        phases.append(whole)
    return {**run, "phases": phases}


def _merged(before: Mapping[str, Any], phase: Mapping[str, Any]) -> _Whole:
    """A phase with whole parts, and with the defaults that depend on the phase before."""
    parts = {
        name: merge_patch(before[name], phase[name], by_kind=True) for name in PARTS if phase.get(name) is not None
    }
    whole = _Whole({**phase, **parts})
    optimizer, earlier = parts.get("optimizer"), before["optimizer"]
    if isinstance(optimizer, dict) and isinstance(earlier, dict):
        is_another = optimizer.get("kind") != earlier.get("kind")
        whole.setdefault("optimizer_state", "reset" if is_another else "carried")
        gives_rate = is_another or "learning_rate" in phase["optimizer"]
        whole.setdefault("schedule", "restarted" if gives_rate else "continued")
    return whole


def _part(phase: Any, name: str) -> Any:
    return phase.get(name) if isinstance(phase, dict) else getattr(phase, name, None)


def _as_json(part: Any) -> Any:
    return part.model_dump(mode="json") if isinstance(part, SpecModel) else part


def check_phases(spec: "RunSpec") -> None:
    """Raise a misfit, pointing into the run, unless the phases of a run fit together."""
    if spec.phases is None:
        return
    if not spec.descends:
        raise misfit(
            ("phases",),
            _FLOW_WITH_PHASES
            if spec.is_flow
            else f"A {spec.model.kind} is solved in one piece, which has no phases; leave them out.",
        )
    before = spec
    for number, (phase, part) in enumerate(zip(spec.phases, spec.phase_specs[1:], strict=True)):
        try:
            _check_same_factors(part, spec)
            _check_carried(phase, before, part)
            part.check_parts()
        except PydanticCustomError as error:
            raise _inside(error, number, phase) from None
        before = part


def _check_same_factors(part: "RunSpec", first: "RunSpec") -> None:
    if part.is_flow:
        raise misfit(("optimizer", "kind"), _FLOW_AS_PHASE)
    if not part.descends:
        raise misfit(("model", "kind"), "All phases of a run descend; take a model that is trained.")
    shapes = [(tuple(spec.problem.shape), *spec.factor_shapes) if _fits(spec) else None for spec in (first, part)]
    if shapes[0] != shapes[1]:
        changed = "model" if part.model is not first.model else "problem"
        raise misfit(
            (changed,), "The factors are carried over, so their shapes and that of their product stay; keep them."
        )


def _fits(spec: "RunSpec") -> bool:
    """Whether the model has factors for the shape of the problem."""
    try:
        spec.model.check_shape(spec.problem.shape)
    except PydanticCustomError:
        return False
    return True


def _check_carried(phase: Phase, before: "RunSpec", part: "RunSpec") -> None:
    if phase.optimizer_state == "carried" and part.optimizer.kind != before.optimizer.kind:
        message = f"What {before.optimizer.kind} carries is of no use to {part.optimizer.kind}; give 'reset'."
        raise misfit(("optimizer_state",), message)
    if phase.schedule == "continued" and part.descent.learning_rate != before.descent.learning_rate:
        message = "Only the same learning rate is continued; give 'restarted', or leave the learning rate as it is."
        raise misfit(("schedule",), message)


def _inside(error: PydanticCustomError, number: int, phase: Phase) -> PydanticCustomError:
    """A misfit of a phase as one of the run: of a part that the phase gives, or of the phase."""
    context = error.context or {}
    pointer = tuple(context.get("pointer", ()))
    is_given = pointer[:1] and pointer[0] in phase.model_fields_set
    return misfit(("phases", number, *(pointer if is_given else ())), str(context.get("message", error.message())))


def present_spec(spec: "RunSpec", ends: Sequence[PhaseEnd]) -> "RunSpec":
    """The plain spec of the phase after those that ended, which counts steps from the beginning of the run.

    Args:
        ends: where each phase before ended.
    """
    if spec.phases is None:
        return spec
    begun, part = begin_of(ends), spec.phase_specs[len(ends)]
    stop = part.stop.model_copy(update={"max_steps": begun.step + part.max_steps})
    return part.model_copy(update={"stop": stop, "optimizer": part.descent.counted_from(_origins(spec, ends))})


def begin_of(ends: Sequence[PhaseEnd]) -> PhaseEnd:
    """Where the phase after those that ended begins."""
    return ends[-1] if ends else BEGINNING


def _origins(spec: "RunSpec", ends: Sequence[PhaseEnd]) -> Origins:
    """Where the optimiser's state and the schedule of the learning rate of the present phase began."""
    state = schedule = BEGINNING
    for phase, end in zip(spec.phases or (), ends, strict=False):
        state = end if phase.optimizer_state == "reset" else state
        schedule = end if phase.schedule == "restarted" else schedule
    return Origins(state.step, schedule.step, schedule.time)
