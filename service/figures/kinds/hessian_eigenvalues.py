"""The largest eigenvalues of the Hessian, and 2 / learning rate (Cohen, Kaur, Li, Kolter, Talwalkar 2021)."""

from service.figures.kinds.vectors import numbered, vector_kind
from workers.runs.optimizers import GradientDescent
from workers.runs.spec import RunSpec


def _edge_of_stability(spec: RunSpec) -> tuple[str, float] | None:
    """Where gradient descent on a quadratic becomes unstable; other optimisers, and schedules, have other limits."""
    rate = spec.constant_learning_rate
    return ("2 / learning rate", 2 / rate) if isinstance(spec.optimizer, GradientDescent) and rate else None


KIND = vector_kind(
    "hessian_eigenvalues",
    numbered("eigenvalue"),
    title="Eigenvalues of the Hessian",
    about="The largest eigenvalues of the Hessian of the loss against step, time or loss; of gradient descent beside "
    "2 / learning rate, dashed.",
    needs="runs that record hessian_eigenvalues",
    level=_edge_of_stability,
)
