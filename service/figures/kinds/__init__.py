"""Every kind of figure, by its name in paths and presets."""

from service.figures.kinds import (
    compare,
    component_norms,
    convergence,
    hessian_eigenvalues,
    layer_alignment,
    layer_singular_values,
    metrics,
    observations,
    singular_values,
    singular_vector_alignment,
    sweep,
    unobserved_entry,
)
from service.figures.kinds.base import Kind

KINDS: dict[str, Kind] = {
    module.KIND.name: module.KIND
    for module in (
        convergence,
        unobserved_entry,
        observations,
        component_norms,
        metrics,
        singular_values,
        singular_vector_alignment,
        layer_singular_values,
        layer_alignment,
        hessian_eigenvalues,
        sweep,
        compare,
    )
}
"""In order of preference: the first one that applies to an experiment is its default."""
