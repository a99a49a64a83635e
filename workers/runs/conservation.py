"""Conservation: which flows carry their determinant, and its value at the start.

dF_j/dt = -dl/dF_j conserves the gaps F_j^T F_j - F_(j+1) F_(j+1)^T (Arora, Cohen, Hazan 2018); with a weight decay
lambda they shrink by e^(-2 lambda t). A start whose gaps are zero is balanced, and stays so. Its product then obeys a
closed flow in which no singular value ever reaches zero (`workers.lab.engines.flow.end_to_end`): ln|det W| is carried
as a coordinate, and det W keeps its sign.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import log

import numpy as np
import numpy.typing as npt

from workers.runs.initializers import starting_factors
from workers.runs.scaling import LEAST_PRODUCT, common_exponent, unit_product
from workers.runs.spec import RunSpec
from workers.runs.starts import StartError

Array = npt.NDArray[np.float64]

BALANCED_TO = 1e-12
"""A start is balanced when its gaps are below this fraction of its largest squared factor norm."""


@lru_cache(maxsize=20_000)
def carried_sign(spec: RunSpec) -> int:
    """Sign of the determinant that a flow carries from its start on, 0 for a run that carries none.

    A flow carries it when the product is square (2 x 2 and up) and has two or more factors, none narrower than itself.
    The start must be balanced, with a determinant other than zero, and floats must hold its product.
    """
    if not spec.is_flow or not spec.model.is_chain or not _may_be_balanced(spec):
        return 0
    try:
        factors = starting_factors(spec)
    except StartError:
        return 0
    exponent = common_exponent(*factors)  # without it squares could leave the range of floats
    units = [np.ldexp(factor, -exponent) for factor in factors]
    largest = max(float(np.sum(factor**2)) for factor in units)
    gaps = [float(np.linalg.norm(gap)) for gap in spec.model.conserved(units, spec.problem.shape)]
    is_balanced = max(gaps) <= BALANCED_TO * largest
    return start_determinant(factors)[0] if is_balanced and _product_is_in_range(factors) else 0


def start_determinant(factors: Sequence[Array]) -> tuple[int, float]:
    """Sign and ln|.| of the determinant of a square product of balanced factors, none narrower than the product.

    Balanced factors share their singular values, those of W to the power 1 / L; a wider factor has zeros beside them.
    """
    dimension, depth = len(factors[0]), len(factors)
    with np.errstate(divide="ignore"):
        log_abs = depth * float(np.log(np.linalg.svd(factors[0], compute_uv=False)[:dimension]).sum())
    if not np.isfinite(log_abs):
        return 0, log_abs
    if all(factor.shape == (dimension, dimension) for factor in factors):
        return int(np.prod([np.linalg.slogdet(factor).sign for factor in factors])), log_abs
    return int(np.linalg.slogdet(unit_product(factors)).sign), log_abs


def _product_is_in_range(factors: Sequence[Array]) -> bool:
    """Whether floats hold the product of balanced factors, whose singular values are those of a factor to the L."""
    with np.errstate(divide="ignore"):
        log_largest = len(factors) * float(np.log(np.linalg.norm(factors[0], 2)))
    return abs(log_largest) < -log(LEAST_PRODUCT)


def _may_be_balanced(spec: RunSpec) -> bool:
    rows, columns = spec.problem.shape
    wide_enough = min(min(shape) for shape in spec.factor_shapes) >= rows
    return rows == columns > 1 and len(spec.factor_shapes) > 1 and wide_enough and spec.init.may_be_balanced
