"""How neighbouring layers align in their first singular vectors (Ji and Telgarsky 2019)."""

from service.figures.kinds.vectors import vector_kind

KIND = vector_kind(
    "layer_alignment",
    lambda _spec, count: [f"layers {number} and {number + 1}" for number in range(1, count + 1)],
    title="Alignment of neighbouring layers",
    about="The inner products of the first singular vectors of neighbouring factors against step, time or loss; 1 "
    "where they are aligned.",
    needs="runs that record layer_alignment",
)
