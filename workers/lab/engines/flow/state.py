"""The state of a flow: the present instant, and the beginning of the stretch of steps that led to it.

A stretch is a fixed number of the solver's own steps after a restart, so the ends of stretches depend only on the run.
A run that is over may have ended within a stretch. If it is extended, that stretch is taken again from its beginning,
and the run continues like a run that was longer from the start.

A checkpoint's state holds, in this order:
- the factors now, then the factors at the beginning of the stretch;
- time, ln|det| and drift now, then the same at the beginning of the stretch;
- the number of the first point whose drift was too large, -1 while there is none;
- the solver's steps up to the beginning of the stretch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.engines.flow.systems import Reading
from workers.runs.conservation import start_determinant
from workers.runs.factors import split_factors
from workers.runs.optimizers import GradientFlow
from workers.runs.spec import RunSpec

NOT_YET, SCALARS = -1, GradientFlow.scalars


@dataclass(frozen=True)
class Instant:
    """A time of a flow, and the run's reading at that time."""

    time: float
    reading: Reading


@dataclass(frozen=True)
class FlowState:
    """See the module's docstring; instants read back from a checkpoint have a loss of NaN."""

    now: Instant
    stretch: Instant
    drift_exceeded_at: int = NOT_YET
    steps: int = 0


def write_state(state: FlowState) -> npt.NDArray[np.float64]:
    """The state as a checkpoint holds it."""
    instants = (state.now, state.stretch)
    factors = [instant.reading.factors for instant in instants]
    scalars = [(instant.time, instant.reading.log_abs_determinant, instant.reading.drift) for instant in instants]
    return np.concatenate([*factors, *scalars, [state.drift_exceeded_at, state.steps]])


def read_state(state: npt.NDArray[Any]) -> FlowState:
    """The state in a checkpoint."""
    cut = (len(state) - SCALARS) // 2
    scalars = state[2 * cut :].tolist()
    instants = [
        Instant(scalars[at], Reading(state[part], scalars[at + 1], np.nan, scalars[at + 2]))
        for at, part in ((0, slice(0, cut)), (3, slice(cut, 2 * cut)))
    ]
    return FlowState(instants[0], instants[1], int(scalars[6]), int(scalars[7]))


def flow_summary(state: npt.NDArray[Any]) -> dict[str, Any]:
    """The entries of a run's summary that its checkpoint's state holds."""
    read = read_state(state)
    exceeded = read.drift_exceeded_at
    return {"time": read.now.time, "drift_exceeded_at": None if exceeded == NOT_YET else exceeded}


def first_state(spec: RunSpec, state: npt.NDArray[Any], sign: int) -> FlowState:
    """The state of a run that has not begun.

    Args:
        state: the factors of the start, then zeros.
        sign: sign of the determinant that the flow carries, 0 for none.
    """
    factors = state[: (len(state) - SCALARS) // 2]
    log_abs = start_determinant(split_factors(factors, spec.factor_shapes))[1] if sign else np.nan
    instant = Instant(0.0, Reading(factors, log_abs, np.nan, 0.0))
    return FlowState(instant, instant)
