"""Whether a run's products depend on how their start is factorised.

With (F1 Q, Q^T F2) in place of (F1, F2), Q orthogonal, a product is the same, and so is its gradient flow. An optimiser
that respects this symmetry descends on products, and can only have a bias that is one of products. Whatever scales each
number by itself depends on the basis in which the factors are written.
"""

from dataclasses import dataclass

from workers.runs.spec import RunSpec


@dataclass(frozen=True)
class Factorisation:
    """What theory says of the symmetry of a run's factorisation.

    Attributes:
        is_respected: whether products from turned factors are those of the factors, up to rounding.
        statement: the same as a sentence.
    """

    is_respected: bool
    statement: str


def factorisation(spec: RunSpec) -> Factorisation | None:
    """Whether a run respects the symmetry of its factorisation; None of a model that has no inner dimension to turn."""
    model, shape = spec.model, spec.problem.shape
    has_inner = model.is_symmetric or (model.is_chain and model.depth_of(shape) > 1)
    if not model.is_trained or not has_inner:
        return None
    turned = "U Q in place of U" if model.is_symmetric else "F1 Q and Q^T F2 in place of F1 and F2"
    is_respected, kind = spec.optimizer.respects_factorisation, spec.optimizer.kind
    result = "has the same products" if is_respected else "has other products, after the first step"
    return Factorisation(is_respected, f"A run of {kind} from {turned}, Q orthogonal, {result}.")
