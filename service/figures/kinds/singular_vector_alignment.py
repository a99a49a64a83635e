"""How far the gradient acts along the singular vectors of the product (Arora, Cohen, Hu, Luo 2019, figure 3)."""

from service.figures.kinds.vectors import vector_kind

COMPONENTS = (
    "mean on the diagonal",
    "deviation on the diagonal",
    "mean off the diagonal",
    "deviation off the diagonal",
)

KIND = vector_kind(
    "singular_vector_alignment",
    lambda _spec, _count: COMPONENTS,
    title="Alignment of singular vectors",
    about="Mean and standard deviation of the sizes on and off the diagonal of U^T G V, with W = U S V^T and "
    "G = dl/dW, against step, time or loss.",
    needs="runs that record singular_vector_alignment",
)
