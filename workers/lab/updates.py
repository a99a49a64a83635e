"""The steps of optimisers as C++ for the fused engine; the same steps in torch are in `workers.lab.optimizers`.

The text states its fused multiply-adds explicitly: fused(a, b, c) is a b + c, rounded once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from workers.runs.sequences import Numbers, joined, powers


@dataclass(frozen=True)
class Table:
    """A number for every step, which follows from one field of the optimiser's spec.

    Attributes:
        field: the name of the field.
        numbers: function from the field's value, the steps taken before and a count to the next numbers, in parts.
        settles_at: function from the field's value to the step from which the numbers are all the same.
    """

    field: str
    numbers: Callable[[float, int, int], list[Numbers]]
    settles_at: Callable[[float], int]


@dataclass(frozen=True)
class FusedUpdate:
    """A step as C++ for the fused engine.

    Attributes:
        constants: attributes of the optimiser's spec that the text reads, by these names; in `before` as
            `run_...`, one number of each run.
        before: statements once a step, on numbers of runs: run_rate is the learning rate, squares[j] the sum of squares
            of the gradient of the j-th trained factor, scalar0, ... what the optimiser carries beside vectors.
        step: statements for each entry; $gradient is its gradient, $slot0 the factor's entry, and $slot1, ... are the
            entries that the optimiser carries for it; `rate` is that of the factor.
        tables: numbers for every step, by their names; `before` reads them as run_...
        sums_squares: whether `before` reads the squares.
    """

    constants: tuple[str, ...]
    step: str
    before: str = ""
    tables: Mapping[str, Table] = field(default_factory=dict[str, Table])
    sums_squares: bool = False

    def __hash__(self) -> int:
        return hash((self.constants, self.step, self.before, tuple(self.tables), self.sums_squares))


def _correction(beta: float, first: int, count: int) -> list[Numbers]:
    """1 - beta^t, t counted from 1: the total weight in a running mean that began at zero."""
    return [powers(beta, first + 1, count, scale=-1.0, plus=1.0)]


def _root_correction(beta: float, first: int, count: int) -> list[Numbers]:
    return [np.sqrt(joined(_correction(beta, first, count)))]


def _corrected_at(beta: float) -> int:
    """The step from which beta^t is below half a unit of rounding of 1, so that 1 - beta^t is 1."""
    return 0 if beta == 0 else int(np.ceil(-38 / np.log(beta)))


DESCENT_UPDATE = FusedUpdate(constants=(), step="$slot0 = fused(-rate, $gradient, $slot0);")

MOMENTUM_UPDATE = FusedUpdate(
    constants=("beta",),
    step="$slot1 = fused(beta, $slot1, $gradient); $slot0 = fused(-rate, $slot1, $slot0);",
)

ADAM_UPDATE = FusedUpdate(
    constants=("beta_1", "beta_2", "share_1", "share_2", "epsilon"),
    tables={
        "first": Table("beta_1", _correction, _corrected_at),
        "root": Table("beta_2", _root_correction, _corrected_at),
    },
    before="run_rate = run_rate / run_first;",
    step="$slot1 = fused(beta_1, $slot1, share_1 * $gradient);"
    " $slot2 = fused(beta_2, $slot2, share_2 * ($gradient * $gradient));"
    " $slot0 = fused(-rate, $slot1 / (RANKWARD_ROOT($slot2) / root + epsilon), $slot0);",
)

SIGNUM_UPDATE = FusedUpdate(
    constants=("beta", "share"),
    step="$slot1 = fused(beta, $slot1, share * $gradient); $slot0 = fused(-rate, sign_of($slot1), $slot0);",
)

LION_UPDATE = FusedUpdate(
    constants=("beta_1", "share_1", "beta_2", "share_2"),
    step="$slot0 = fused(-rate, sign_of(fused(beta_1, $slot1, share_1 * $gradient)), $slot0);"
    " $slot1 = fused(beta_2, $slot1, share_2 * $gradient);",
)

RMSPROP_UPDATE = FusedUpdate(
    constants=("beta", "share", "epsilon"),
    step="$slot1 = fused(beta, $slot1, share * ($gradient * $gradient));"
    " $slot0 = fused(-rate, $gradient / (RANKWARD_ROOT($slot1) + epsilon), $slot0);",
)

GROUP_RMSPROP_UPDATE = FusedUpdate(
    constants=("beta", "share", "epsilon"),
    tables={"correction": Table("beta", _correction, _corrected_at)},
    before="scalar0 = scalar0 * run_beta;"
    " for (int j = 0; j < TRAINED; ++j) scalar0 = scalar0 + single(single(squares[j]) * single(run_share));"
    " run_rate = run_rate / (RANKWARD_ROOT(scalar0 / run_correction) + run_epsilon);",
    sums_squares=True,
    step="$slot0 = fused(-rate, $gradient, $slot0);",
)
