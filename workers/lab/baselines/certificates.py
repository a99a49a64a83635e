"""Certificates: a proven bound on the distance of a minimisation of a norm from its optimum.

The dual of min ||W|| subject to |A(W) - y| <= t is max <y, v> - <t, |v|> over ||A*(v)|| <= 1 in the dual norm (Recht,
Fazel, Parrilo 2010, section 2.4, with an interval for each observation). The dual of the nuclear norm is the spectral
norm, that of the sum of sizes of entries the largest size. Any such v proves that no feasible W has a norm below its
dual value. A solver's v, shortened until its dual norm is at most 1, therefore gives a gap that does not depend on
trusting the solver.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.lab.baselines.constraints import Constraints
from workers.lab.baselines.solutions import GAP_TOLERANCE, VIOLATION_TOLERANCE

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Norm:
    """A norm of matrices, and its dual."""

    of: Callable[[Array], float]
    dual: Callable[[Array], float]


NUCLEAR = Norm(lambda matrix: float(np.linalg.norm(matrix, "nuc")), lambda matrix: float(np.linalg.norm(matrix, 2)))
L1 = Norm(lambda matrix: float(np.abs(matrix).sum()), lambda matrix: float(np.abs(matrix).max()))


@dataclass(frozen=True)
class Certificate:
    """Proven properties of a matrix.

    Attributes:
        norm: the norm that is least.
        bound: lower bound on the norm of every feasible matrix, in the same units.
        violation: its largest violation of a constraint, in the units of the observations.
        allowed_violation: the largest violation that is accepted, in the same units.
    """

    norm: float
    bound: float
    violation: float
    allowed_violation: float

    @property
    def proofs(self) -> dict[str, float]:
        """The numbers that a summary holds."""
        return {"duality_gap": self.gap, "constraint_violation": self.violation}

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


def certify(constraints: Constraints, matrix: Array, multipliers: Array, norm: Norm = NUCLEAR) -> Certificate:
    """The certificate of a matrix and a solver's multipliers v (observations,), both in the constraints' scale."""
    # The bound holds only for a v whose A*(v) has a dual norm of at most 1.
    dual = (constraints.operator.T @ multipliers).reshape(constraints.shape)
    shortened = multipliers / max(1.0, norm.dual(dual))
    bound = constraints.values @ shortened - constraints.tolerances @ np.abs(shortened)
    return Certificate(
        norm=constraints.scale * norm.of(matrix),
        bound=constraints.scale * max(float(bound), 0.0),
        violation=constraints.violation(matrix),
        allowed_violation=VIOLATION_TOLERANCE
        * float((np.abs(constraints.values) * constraints.norms).max())
        * constraints.scale,
    )
