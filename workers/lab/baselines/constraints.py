"""The observations of a problem as the constraints of a program: |operator vec(W) - values| <= tolerances.

Rows are scaled to norm 1, and values so that the largest has size 1. Solvers work with absolute tolerances, and units
must not make a problem easier or harder.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from workers.runs.problems import Observations, ObservedEntries
from workers.runs.scaling import LEAST_NORM, norm

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Constraints:
    """Linear constraints on a matrix W of `shape`, in units of `scale`.

    Attributes:
        operator: (observations, entries), rows of norm 1 or zero; vec is row-major.
        values, tolerances: (observations,), divided by the norms of the rows and by `scale`.
        scale: factor that turns a solution into the units of the problem.
        norms: (observations,), norms of the rows before scaling, 1 for a zero row.
    """

    shape: tuple[int, int]
    operator: sp.csr_array
    values: Array
    tolerances: Array
    scale: float
    norms: Array

    def excess(self, matrix: Array) -> Array:
        """Distance of each observation of a matrix above (+) or below (-) its interval, (observations,)."""
        residual = self.operator @ matrix.ravel() - self.values
        return residual - np.clip(residual, -self.tolerances, self.tolerances)

    def violation(self, matrix: Array) -> float:
        """The largest excess, in the units of the observations."""
        return float((np.abs(self.excess(matrix)) * self.norms).max() * self.scale)

    def nearest(self, matrix: Array) -> Array:
        """The matrix after the least move that meets the constraints, or comes closest where none meets them."""
        excess = self.excess(matrix)
        gram = self.operator @ self.operator.T
        if (gram - sp.eye_array(len(self.values))).count_nonzero() == 0:  # orthonormal rows, as those of entries
            moved = self.operator.T @ excess
        else:
            moved = np.linalg.lstsq(self.operator.toarray(), excess, rcond=None)[0]
        return matrix - moved.reshape(self.shape)


def constraints_of(observed: Observations, shape: tuple[int, int], tolerance: float) -> Constraints:
    """The constraints that meet every observation to within `tolerance`."""
    operator, values = _rows(observed)
    norms = _row_norms(operator)
    divisors = np.where(norms > 0, norms, 1.0)
    scaled = values / divisors
    scale = float(np.abs(scaled).max()) or 1.0
    return Constraints(
        shape=shape,
        operator=sp.csr_array(sp.diags_array(1 / divisors) @ operator),
        values=scaled / scale,
        tolerances=tolerance / divisors / scale,
        scale=scale,
        norms=divisors,
    )


def _row_norms(operator: sp.csr_array) -> Array:
    """Norms of the rows, (observations,); rows whose squares leave the range of floats are summed one by one."""
    with np.errstate(over="ignore", under="ignore"):
        norms = np.asarray(sp.linalg.norm(operator, axis=1))
    for row in np.flatnonzero(~((norms >= LEAST_NORM) & np.isfinite(norms))):
        norms[row] = norm(operator[[row]].toarray())
    return norms


def _rows(observed: Observations) -> tuple[sp.csr_array, Array]:
    if not isinstance(observed, ObservedEntries):
        measured_rows = sp.eye_array(observed.outputs.shape[1])
        return sp.csr_array(sp.kron(measured_rows, sp.csr_array(observed.tensors))), observed.outputs.T.ravel()
    columns = np.flatnonzero(observed.mask)
    ones, rows = np.ones(len(columns)), np.arange(len(columns))
    operator = sp.csr_array((ones, (rows, columns)), shape=(len(columns), observed.mask.size))
    return operator, observed.values.ravel()[columns]
