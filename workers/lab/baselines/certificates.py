"""Certificates: a proven bound on the distance of a nuclear norm minimisation from its optimum.

The dual of min ||W||_* subject to |A(W) - y| <= t is max <y, v> - <t, |v|> over ||A*(v)|| <= 1 in the spectral norm
(Recht, Fazel, Parrilo 2010, section 2.4, with an interval for each observation). Any such v proves that no feasible W
has a norm below its dual value. A solver's v, shortened until the spectral norm is at most 1, therefore gives a gap
that does not depend on trusting the solver.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.lab.baselines.constraints import Constraints

Array = npt.NDArray[np.float64]

GAP_TOLERANCE = 1e-4
"""Largest relative duality gap of an accepted solution."""

VIOLATION_TOLERANCE = 1e-6
"""Largest violation of a constraint by an accepted solution, as a fraction of the largest observed value."""


@dataclass(frozen=True)
class Certificate:
    """Proven properties of a matrix.

    Attributes:
        norm: its nuclear norm.
        bound: lower bound on the nuclear norm of every feasible matrix, in the same units.
        violation: its largest violation of a constraint, in the units of the observations.
        allowed_violation: the largest violation that is accepted, in the same units.
    """

    norm: float
    bound: float
    violation: float
    allowed_violation: float

    @property
    def gap(self) -> float:
        """Norm minus bound, as a fraction of the norm; 0 for the zero matrix, whose norm no matrix undercuts."""
        return (self.norm - self.bound) / self.norm if self.norm > 0 else 0.0

    def complaint(self) -> str | None:
        """Why the matrix is not accepted, as a clause; None when it is."""
        if not self.violation <= self.allowed_violation:
            return f"an observation is missed by {self.violation:.1e} beyond the tolerance"
        if not self.gap <= GAP_TOLERANCE:
            return f"its relative duality gap is {self.gap:.1e}, above the {GAP_TOLERANCE:.0e} that is asked for"
        return None


def certify(constraints: Constraints, matrix: Array, multipliers: Array) -> Certificate:
    """The certificate of a matrix and a solver's multipliers v (observations,), both in the constraints' scale."""
    # The bound holds only for a v whose A*(v) has spectral norm at most 1.
    dual = (constraints.operator.T @ multipliers).reshape(constraints.shape)
    shortened = multipliers / max(1.0, float(np.linalg.norm(dual, 2)))
    bound = constraints.values @ shortened - constraints.tolerances @ np.abs(shortened)
    return Certificate(
        norm=constraints.scale * float(np.linalg.norm(matrix, "nuc")),
        bound=constraints.scale * max(float(bound), 0.0),
        violation=constraints.violation(matrix),
        allowed_violation=VIOLATION_TOLERANCE
        * float((np.abs(constraints.values) * constraints.norms).max())
        * constraints.scale,
    )
