"""The state of a flow: where it stands, and where the stretch of steps began that led there.

A stretch is a fixed number of the solver's own steps from a fresh start, so where stretches end depends on nothing but
the run. A run that is over may have ended within one; should it be extended, that stretch is taken again from its
beginning, and the run goes on as if it had asked for more from the start.

In a checkpoint's state: the factors now, the factors at the beginning of the stretch, then time, ln|det| and drift now,
the same at the beginning, the number of the first point whose drift was too large, -1 while there is none, and the
solver's steps up to the beginning of the stretch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.engines.flow.systems import Standing
from workers.runs.conservation import start_determinant
from workers.runs.factors import split_factors
from workers.runs.optimizers import GradientFlow
from workers.runs.spec import RunSpec

NOT_YET, SCALARS = -1, GradientFlow.scalars


@dataclass(frozen=True)
class Place:
    """A run at a time of its flow."""

    time: float
    standing: Standing


@dataclass(frozen=True)
class FlowState:
    """See the module; the losses of places that were read back are NaN."""

    now: Place
    stretch: Place
    drift_exceeded_at: int = NOT_YET
    steps: int = 0


def write_state(state: FlowState) -> npt.NDArray[np.float64]:
    """The state as a checkpoint holds it."""
    places = (state.now, state.stretch)
    numbers = [(place.time, place.standing.log_abs_determinant, place.standing.drift) for place in places]
    factors = [place.standing.factors for place in places]
    return np.concatenate([*factors, *numbers, [state.drift_exceeded_at, state.steps]])


def read_state(state: npt.NDArray[Any]) -> FlowState:
    """The state in a checkpoint."""
    cut = (len(state) - SCALARS) // 2
    scalars = state[2 * cut :].tolist()
    places = [
        Place(scalars[at], Standing(state[part], scalars[at + 1], np.nan, scalars[at + 2]))
        for at, part in ((0, slice(0, cut)), (3, slice(cut, 2 * cut)))
    ]
    return FlowState(places[0], places[1], int(scalars[6]), int(scalars[7]))


def flow_summary(state: npt.NDArray[Any]) -> dict[str, Any]:
    """What a checkpoint's state says in a run's summary."""
    read = read_state(state)
    exceeded = read.drift_exceeded_at
    return {"time": read.now.time, "drift_exceeded_at": None if exceeded == NOT_YET else exceeded}


def first_state(spec: RunSpec, state: npt.NDArray[Any], sign: int) -> FlowState:
    """The state of a run that has not begun, given its start: the factors, then nothing.

    Args:
        sign: of the determinant that the flow carries, 0 for none.
    """
    factors = state[: (len(state) - SCALARS) // 2]
    log_abs = start_determinant(split_factors(factors, spec.factor_shapes))[1] if sign else np.nan
    place = Place(0.0, Standing(factors, log_abs, np.nan, 0.0))
    return FlowState(place, place)
