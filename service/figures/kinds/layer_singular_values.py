"""Singular values of every layer along the way, a colour for each layer (Yaras, Wang, Hu, Zhu, Balzano, Qu 2023)."""

from service.figures.kinds.vectors import vector_kind
from workers.runs.spec import RunSpec


def _layers(spec: RunSpec, _count: int) -> list[str]:
    return [f"layer {layer}" for layer, shape in enumerate(spec.factor_shapes, start=1) for _ in range(min(shape))]


def _names(spec: RunSpec, _count: int) -> list[str]:
    return [
        f"layer {layer}, singular value {number}"
        for layer, shape in enumerate(spec.factor_shapes, start=1)
        for number in range(1, min(shape) + 1)
    ]


KIND = vector_kind(
    "layer_singular_values",
    _names,
    title="Singular values of the layers",
    about="The singular values of every factor against step, time or loss, a colour for each factor.",
    needs="runs that record layer_singular_values",
    legend=_layers,
)
