"""Settings: the theory that applies to a problem, recognised from its observations up to symmetry.

Loss, norms, ranks and |det| do not change when rows and columns are permuted or change sign. A setting is therefore the
observations with the unobserved entry moved to (0, 0) and every sign made positive. The signs matter only through the
sign that the determinant must have.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from workers.runs.observations import RANK_TOLERANCE, observe, per_problem, unobserved_index
from workers.runs.problems import Problem
from workers.runs.scaling import LEAST_PRODUCT, times_over
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]
SettingKind = Literal["basic_2x2", "perturbed_2x2", "all_but_corner"]


@dataclass(frozen=True)
class Setting:
    """A setting that theory covers, up to symmetry; equal settings have equal bounds.

    Attributes:
        kind: `basic_2x2` and `all_but_corner` have |z| = |z'| = 1 and epsilon = 0.
        dimension: rows of the square matrix.
        z, z_prime: sizes of the entries beside the unobserved one, the larger first.
        epsilon: size of the entry diagonally opposite the unobserved one (2 x 2).
    """

    kind: SettingKind
    dimension: int
    z: float = 1.0
    z_prime: float = 1.0
    epsilon: float = 0.0


@dataclass(frozen=True)
class Recognised:
    """A problem in a setting that theory covers.

    Attributes:
        setting: its setting.
        unobserved: row and column of the unobserved entry.
        needed_sign: sign of det W with which the bounds hold, 1 or -1; an exact fit with the unobserved entry 0 has the
            opposite sign.
        predicted_limit: limit of the unobserved entry as the loss goes to zero, infinite where it is unbounded.
    """

    setting: Setting
    unobserved: tuple[int, ...]
    needed_sign: int
    predicted_limit: float


@per_problem
def recognise(problem: Problem) -> Recognised | str:
    """The problem as theory sees it, or a sentence on why theory says nothing."""
    if len(problem.shape) != 2:
        return f"Theory speaks of matrices, and this is a tensor of order {len(problem.shape)}."
    rows, columns = problem.shape
    if rows != columns:
        return f"Theory speaks of square matrices, and this one is {rows} x {columns}."
    index = unobserved_index(problem)
    if index is None:
        return "Theory speaks of problems with exactly one unobserved entry, and this is none."
    values = observe(problem).values
    setting = _setting(values, *index)
    if isinstance(setting, str):
        return setting
    return Recognised(setting, index, _needed_sign(values, *index), _predicted_limit(values, *index))


def recognised_in(spec: RunSpec) -> Recognised | str:
    """A run's problem as theory sees it, or a sentence on why theory says nothing of the run.

    Every bound is by the distance of the observed entries from their values, which a loss of squares is and others are
    not. The laws of growth follow the flow of squares, too.
    """
    if not spec.loss.is_square:
        return f"Theory speaks of squared residuals (half_sse and mse), and the loss of this run is {spec.loss.kind}."
    return recognise(spec.problem)


@per_problem
def is_nearly_semidefinite(problem: Problem) -> bool:
    """Whether symmetric positive semidefinite matrices come arbitrarily close to the observations.

    They do exactly when the unobserved entry is on the diagonal, the others are symmetric, and the matrix without its
    row and column is positive semidefinite. An arbitrarily small change of its diagonal makes that matrix definite, and
    a large unobserved entry then makes the Schur complement nonnegative.
    """
    index, values = unobserved_index(problem), observe(problem).values
    if index is None or index[0] != index[1] or not (values == values.T).all():
        return False
    core = np.delete(np.delete(values, index[0], axis=0), index[1], axis=1)
    eigenvalues = np.linalg.eigvalsh(core)
    return bool(eigenvalues[0] >= -RANK_TOLERANCE * np.abs(eigenvalues).max())


def _setting(values: Array, row: int, column: int) -> Setting | str:
    """The setting of `values` (n, n), whose unobserved entry at (row, column) is zero, or why theory has none."""
    dimension = len(values)
    if dimension == 1:
        return "A 1 x 1 matrix with nothing observed has no loss to speak of."
    if dimension == 2:
        sizes = np.abs(values)
        beside = float(sizes[row, 1 - column]), float(sizes[1 - row, column])
        return _two_by_two(max(beside), min(beside), float(sizes[1 - row, 1 - column]))
    if _is_all_but_corner(values, row, column):
        return Setting("all_but_corner", dimension)
    return (
        f"Of {dimension} x {dimension} matrices theory speaks only where the observations are those of all_but_corner, "
        "up to the order and the signs of rows and columns."
    )


def _two_by_two(z: float, z_prime: float, epsilon: float) -> Setting | str:
    if z_prime == 0:
        return "An observed entry beside the unobserved one is 0: some finite matrix fits exactly at the least rank."
    is_basic = z == z_prime == 1 and epsilon == 0
    return Setting("basic_2x2" if is_basic else "perturbed_2x2", 2, z, z_prime, epsilon)


def _is_all_but_corner(values: Array, row: int, column: int) -> bool:
    """Whether every row and column has exactly one entry of size 1 and zeros, the unobserved entry counted as 0.

    Such a matrix of signs is [[0, 1], [1, 0]] and an identity after reordering: the rows and columns of the entries
    beside the unobserved one come second.
    """
    sizes = np.abs(values)
    permutes = np.isin(sizes, (0.0, 1.0)).all() and (sizes.sum(axis=0) == 1).all() and (sizes.sum(axis=1) == 1).all()
    return bool(permutes and values[row, column] == 0)


def _needed_sign(values: Array, row: int, column: int) -> int:
    """The sign opposite to that of det W at an exact fit with the unobserved entry 0."""
    if len(values) == 2:
        beside = np.sign(values[row, 1 - column]) * np.sign(values[1 - row, column])
        return int(beside if row == column else -beside)
    return -int(np.linalg.slogdet(values).sign)


def _predicted_limit(values: Array, row: int, column: int) -> float:
    """z z' / epsilon, with which the determinant is 0; infinite where no value makes it 0."""
    opposite = values[1 - row, 1 - column] if len(values) == 2 else 0.0
    if opposite == 0:
        return float("inf")
    with np.errstate(over="ignore", under="ignore"):
        first, second = values[row, 1 - column], values[1 - row, column]
        plain = float(first * (second / opposite))
        is_in_range = LEAST_PRODUCT <= abs(second / opposite) < np.inf or second == 0
        return plain if is_in_range else float(times_over(first, second, opposite))
