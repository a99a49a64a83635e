"""Every kind of figure, by its name in paths and presets."""

from service.figures.kinds import (
    compare,
    component_norms,
    metrics,
    observations,
    singular_values,
    sweep,
    unobserved_entry,
)
from service.figures.kinds.base import Kind

KINDS: dict[str, Kind] = {
    module.KIND.name: module.KIND
    for module in (unobserved_entry, observations, component_norms, metrics, singular_values, sweep, compare)
}
"""In order of preference: the first one that applies to an experiment is its default."""
