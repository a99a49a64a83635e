"""Initial factors of a run."""

import numpy as np

from workers.runs.factors import Factor
from workers.runs.spec import RunSpec
from workers.runs.starts import StartError


def starting_factors(spec: RunSpec) -> list[Factor]:
    """The factors of a run at step 0, first to last, of shapes `spec.factor_shapes`, in float64.

    Raises:
        StartError: no draw has the determinant sign, a number is not finite in the run's precision, or the optimiser
            cannot begin there.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        factors = _factors(spec)
        finite = all(np.isfinite(factor.astype(spec.precision)).all() for factor in factors)
    if not finite:
        raise StartError(f"This start is not finite in {spec.precision}; take smaller numbers.")
    if (reason := spec.optimizer.start_misfit(factors)) is not None:
        raise StartError(reason)
    return factors


def _factors(spec: RunSpec) -> list[Factor]:
    if not spec.model.is_trained:
        return [np.zeros(shape) for shape in spec.factor_shapes]
    return spec.init.make(spec.model, spec.problem, spec.seed)
