"""Singular values of the product along the way, on a logarithmic axis."""

from service.figures.kinds.vectors import numbered, vector_kind

KIND = vector_kind(
    "singular_values",
    numbered("singular value"),
    title="Singular values",
    about="The singular values of the product against step, time or loss, on a logarithmic axis.",
    needs="runs of matrices",
)
