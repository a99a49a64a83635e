"""Singular values of the product along the way, on a logarithmic axis."""

from service.figures.kinds.vectors import vector_kind

KIND = vector_kind(
    "singular_values",
    component="singular value",
    title="Singular values",
    about="The singular values of the product against step, time or loss, on a logarithmic axis.",
    needs="runs of matrices",
)
