"""Norms of the largest components against steps, which grow one at a time (Razin and Cohen 2020)."""

from service.figures.kinds.vectors import numbered, vector_kind

KIND = vector_kind(
    "component_norms",
    numbered("component"),
    title="Component norms",
    about="The norms of the largest components of a tensor factorisation against step, time or loss.",
    needs="runs of a cp_tensor, a symmetric_tensor or a hierarchical_tensor",
)
