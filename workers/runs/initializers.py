"""Starts: the factors a run begins from, drawn in float64 from a generator of the run's own."""

from math import exp, inf, log

import numpy as np
import numpy.typing as npt
from numpy import finfo, float64

from workers.runs import starts
from workers.runs.models import CpTensor, NuclearNorm, SymmetricMatrix
from workers.runs.spec import RunSpec

Factor = npt.NDArray[np.float64]

MOST_REDRAWS = 1000
"""Draws of a Gaussian start before a determinant sign is given up."""


LARGEST_EXPONENT = log(finfo(float64).max)


class StartError(ValueError):
    """The asked start does not exist or was not found."""


def starting_factors(spec: RunSpec) -> list[Factor]:
    """The factors of a run at step 0, first to last, of shapes `spec.factor_shapes`.

    Raises:
        StartError: no draw had the asked determinant sign, or a number is not finite in the run's precision.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        factors = _factors(spec)
        finite = all(np.isfinite(factor.astype(spec.precision)).all() for factor in factors)
    if not finite:
        raise StartError(f"This start is not finite in {spec.precision}; take smaller numbers.")
    return factors


def _factors(spec: RunSpec) -> list[Factor]:
    if isinstance(spec.model, NuclearNorm):
        return [np.zeros(shape) for shape in spec.factor_shapes]
    match spec.init:
        case starts.Explicit(factors=factors):
            return [np.array(factor, dtype=np.float64) for factor in factors]
        case starts.Identity(scale=scale):
            return [scale * np.eye(*shape) for shape in spec.factor_shapes]
        case starts.Gaussian():
            return _gaussian(spec, spec.init)


def factor_std(start: starts.Gaussian, depth: int, hidden_width: int) -> float:
    """Standard deviation of a factor's entries.

    For independent factors the product's entries have variance std^(2 L) width^(L - 1), so a product std p asks for
    (p / width^((L - 1) / 2))^(1 / L) per factor. Of U U^T, with L = 2, so have the entries off the diagonal.
    """
    if start.std_of == "factor":
        return start.std
    return exp((log(start.std) - (depth - 1) / 2 * log(hidden_width)) / depth)  # the power itself could overflow


def product_std(start: starts.Gaussian, depth: int, hidden_width: int) -> float:
    """Standard deviation of the product's entries, the inverse of `factor_std`."""
    if start.std_of == "product":
        return start.std
    exponent = depth * log(start.std) + (depth - 1) / 2 * log(hidden_width)
    return exp(exponent) if exponent < LARGEST_EXPONENT else inf


def component_factor_std(start: starts.Gaussian, order: int, rank: int) -> float:
    """Standard deviation of the entries of the factors of `rank` components.

    An entry of the product is a sum of `rank` products of `order` independent entries: its variance is
    rank * std^(2 order).
    """
    if start.std_of == "factor":
        return start.std
    return (start.std / rank**0.5) ** (1 / order)


def balanced_factors(product: Factor, shapes: tuple[tuple[int, int], ...]) -> list[Factor]:
    """Split a product A = U S V^T into factors U S^(1/L), S^(1/L), ..., S^(1/L) V^T (Arora, Cohen, Hazan 2018).

    Hidden widths above the rank are padded with zeros; narrower ones keep the largest singular values. Either way
    F_j^T F_j = F_(j+1) F_(j+1)^T.
    """
    depth = len(shapes)
    if depth == 1 or not np.isfinite(product).all():
        return [product] * depth
    left, singular_values, right = np.linalg.svd(product, full_matrices=False)
    return spread_factors(left, singular_values ** (1 / depth), right, shapes)


def spread_factors(left: Factor, root: Factor, right: Factor, shapes: tuple[tuple[int, int], ...]) -> list[Factor]:
    """Factors U R, R, ..., R V^T, two or more of them, of the given shapes.

    Args:
        left, right: U (rows, k) and V^T (k, columns).
        root: (k,), the diagonal of R.
    """
    factors = [left * root, *[np.diag(root)] * (len(shapes) - 2), root[:, None] * right]
    return [_fitted(factor, shape) for factor, shape in zip(factors, shapes, strict=True)]


def _gaussian(spec: RunSpec, start: starts.Gaussian) -> list[Factor]:
    stream = np.random.default_rng(spec.seed)
    for _ in range(MOST_REDRAWS):
        factors = _draw(spec, start, stream)
        chain = [*factors, factors[0].T] if isinstance(spec.model, SymmetricMatrix) else factors
        if start.determinant == "any" or _determinant_sign(chain) == (1 if start.determinant == "positive" else -1):
            return factors
    raise StartError(
        f"No start with a {start.determinant} determinant was found in {MOST_REDRAWS} draws; "
        "ask for the sign 'any', another seed, or give explicit factors."
    )


def _draw(spec: RunSpec, start: starts.Gaussian, stream: np.random.Generator) -> list[Factor]:
    shapes = spec.factor_shapes
    if isinstance(spec.model, CpTensor):
        std = component_factor_std(start, len(shapes), shapes[0][1])
        return [std * stream.standard_normal(shape) for shape in shapes]
    if isinstance(spec.model, SymmetricMatrix):  # U and U^T are balanced whatever U is
        return [factor_std(start, spec.depth, shapes[0][1]) * stream.standard_normal(shapes[0])]
    width = shapes[0][1] if len(shapes) > 1 else 1
    if start.balanced:
        product = product_std(start, len(shapes), width) * stream.standard_normal(spec.problem.shape)
        return balanced_factors(product, shapes)
    std = factor_std(start, len(shapes), width)
    return [std * stream.standard_normal(shape) for shape in shapes]


def _determinant_sign(factors: list[Factor]) -> int:
    """Sign of the product's determinant, from the factors where they are square: the product itself may underflow."""
    if all(factor.shape[0] == factor.shape[1] for factor in factors):
        return int(np.nan_to_num(np.prod([np.linalg.slogdet(factor).sign for factor in factors])))
    return int(np.nan_to_num(np.linalg.slogdet(np.linalg.multi_dot(factors)).sign))


def _fitted(factor: Factor, shape: tuple[int, int]) -> Factor:
    fitted = np.zeros(shape)
    rows, columns = min(shape[0], factor.shape[0]), min(shape[1], factor.shape[1])
    fitted[:rows, :columns] = factor[:rows, :columns]
    return fitted
