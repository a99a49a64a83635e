"""What metrics cost at a point of a run: evaluations of the gradient, and multiply-adds beside them."""

from math import prod

from workers.runs.metrics.metric import Measured

MOST_HESSIAN_PRODUCTS = 200
"""Products with a Hessian after which the search for its largest eigenvalue is given up."""

GRADIENTS_PER_HESSIAN_PRODUCT = 3
"""A product with a Hessian differentiates every product of the gradient in both of its factors."""

HESSIAN_EIGENVALUES = 10
"""Eigenvalues of a Hessian that `hessian_eigenvalues` has, at most."""

LARGEST_WHOLE_HESSIAN = 512
"""Trained numbers up to which `hessian_eigenvalues` are those of the whole Hessian, however often each is repeated."""

MOST_BLOCK_PRODUCTS = 384
"""Products with a larger Hessian after which the search for its eigenvalues is given up."""

DECOMPOSITION, EIGENVALUES = 20, 10
"""Multiply-adds of singular vectors of an n x n matrix, and of eigenvalues, over n^3; both from above."""


def trained_numbers_of(spec: Measured) -> int:
    """Entries of all factors."""
    return sum(map(prod, spec.factor_shapes))


def gradients_of_a_hessian(spec: Measured) -> int:
    """Evaluations of the gradient that the largest eigenvalue of a Hessian costs at most."""
    return min(trained_numbers_of(spec), MOST_HESSIAN_PRODUCTS) * GRADIENTS_PER_HESSIAN_PRODUCT


def gradients_of_several_eigenvalues(spec: Measured) -> int:
    """Evaluations of the gradient that `hessian_eigenvalues` cost at most."""
    numbers = trained_numbers_of(spec)
    products = numbers if numbers <= LARGEST_WHOLE_HESSIAN else MOST_BLOCK_PRODUCTS
    return products * GRADIENTS_PER_HESSIAN_PRODUCT


def work_of_several_eigenvalues(spec: Measured) -> int:
    """Multiply-adds of the eigenvalues of the whole Hessian, or of keeping a basis orthonormal, twice."""
    numbers = trained_numbers_of(spec)
    return EIGENVALUES * numbers**3 if numbers <= LARGEST_WHOLE_HESSIAN else 2 * MOST_BLOCK_PRODUCTS**2 * numbers


def work_of_a_trace(spec: Measured) -> int:
    """Multiply-adds of the trace of a Hessian: of measurements, the gradient of each is taken by itself."""
    shape = spec.problem.shape
    each = spec.model.multiply_adds(shape) + prod(shape)
    if not spec.problem.observes_entries:
        return spec.problem.observation_count * each
    return each if spec.model.has_layers else prod(shape) * each


def work_of_held_out(spec: Measured) -> int:
    """Multiply-adds of the predictions of the held-out observations."""
    problem = spec.problem
    entries = prod(problem.shape)
    return entries if problem.observes_entries else problem.held_out_count * entries


def work_of_layers(spec: Measured) -> int:
    """Multiply-adds of the singular vectors of every layer."""
    return sum(DECOMPOSITION * prod(shape) * min(shape) for shape in spec.factor_shapes)


def work_of_the_product(spec: Measured) -> int:
    """Multiply-adds of the singular vectors of the product, and of products with them."""
    return DECOMPOSITION * prod(spec.problem.shape) * min(spec.problem.shape)


def work_of_cuts(spec: Measured) -> int:
    """Multiply-adds of the singular values of the matricisation of every cut."""
    shape = spec.problem.shape
    halves = (prod(shape[begin:end]) for begin, end in spec.model.cuts(shape))
    return sum(DECOMPOSITION * prod(shape) * min(half, prod(shape) // half) for half in halves)


def work_of_an_alignment(spec: Measured) -> int:
    """Multiply-adds of dl/dW, and of the singular vectors of the product."""
    residuals = prod(spec.problem.shape) + spec.problem.multiply_adds(spec.loss.is_square)
    return work_of_the_product(spec) + residuals
