"""Hierarchical tensor factorisation: components of components, along a binary tree over the modes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod
from string import ascii_letters
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from workers.runs.base import Count, Listed
from workers.runs.contractions.invariants import Axis
from workers.runs.contractions.multilinear import Multilinear, Term
from workers.runs.contractions.trees import Node, tree_of
from workers.runs.models.base import Cut
from workers.runs.models.resolved import ResolvedModel, check_count

ROOT = "root"


class HierarchicalTensor(ResolvedModel, frozen=True):
    """W is the tensor of the root of a binary tree over the modes (Hackbusch and Kuehn 2009; Razin, Maman, Cohen 2022).

    Neighbouring modes are joined two by two, level by level; what is left over goes up a level, so any order has a
    tree. A node of width R sums R local components: tensor s of the node is the sum over r of F[r, s] times tensor r of
    its first child times tensor r of its second. Tensor r of a leaf is column r of the factor of its mode. The root has
    a single tensor, and its factor is a vector. Of order 4 with widths (R, S) this is the contraction
    "ir,jr,rs,kt,lt,ts,s->ijkl". Factors are `mode_0`, ..., `node_0_1` of modes 0 to 1, ..., and `root`.

    Attributes:
        widths: local components of every node of a level, lowest level first, the root last; unless given, as many as
            constrain no tensor: at the root the smaller of the numbers of entries of its children's tensors, below it
            the number of entries of the largest tensor of the level.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "hierarchical_tensor", "widths": [3, 2]}
    further_examples: ClassVar[tuple[Mapping[str, Any], ...]] = ({"kind": "hierarchical_tensor", "widths": [4]},)

    kind: Literal["hierarchical_tensor"]
    widths: Annotated[tuple[Count, ...], Listed, Field(min_length=1)] | None = None

    def check_shape(self, shape: Sequence[int]) -> None:
        if self.widths is not None:
            check_count("widths", len(self.widths), tree_of(len(shape)).level, "a width for each level of the tree")

    def resolve(self, shape: Sequence[int]) -> Multilinear:
        parent, widths = parents(len(shape)), self.widths or free_widths(shape)
        nodes = [node for node in parent if node.children]
        letter_of = dict(zip(nodes, ascii_letters[len(shape) :], strict=False))
        shapes: dict[str, tuple[int, ...]] = {}
        operands: list[str] = []
        for node, above in parent.items():
            inside = (letter_of[node] if node.children else ascii_letters[node.begin],)
            own = widths[node.level - 1] if node.children else shape[node.begin]
            shapes[name_of(node, above)] = (own,) if above is None else (own, widths[above.level - 1])
            operands.append("".join((*inside, "" if above is None else letter_of[above])))
        einsum = f"{','.join(operands)}->{ascii_letters[: len(shape)]}"
        return Multilinear(shapes, (Term(of=tuple(shapes), einsum=einsum),), {})

    def component_axes(self, shape: Sequence[int]) -> tuple[tuple[Axis, ...], ...]:
        """Of every node, children before their parent: a column of each child's factor, and a row of its own."""
        parent = parents(len(shape))
        number = {node: position for position, node in enumerate(parent)}
        return tuple(
            (*((number[child], 1) for child in node.children), (number[node], 0)) for node in parent if node.children
        )

    def cuts(self, shape: Sequence[int]) -> tuple[Cut, ...]:
        """Of the leaves, then of the nodes between them and the root; of two that leave the same halves the first."""
        nodes = sorted(parents(len(shape)), key=lambda node: bool(node.children))
        halves = dict.fromkeys(_halves(node, len(shape)) for node in nodes if node.end - node.begin < len(shape))
        return tuple(next((node.begin, node.end) for node in nodes if _halves(node, len(shape)) == h) for h in halves)

    def label(self) -> str:
        return "hierarchical tensor" if self.widths is None else f"hierarchical, widths {_listed(self.widths)}"

    def components(self, shape: Sequence[int]) -> int | None:
        """Those of the root."""
        return (self.widths or free_widths(shape))[-1]


@lru_cache(maxsize=64)
def parents(order: int) -> dict[Node, Node | None]:
    """Every node of a tree in the order of the factors, children before their parent, with its parent."""
    root = tree_of(order)
    above = {child: node for node in root.walk() for child in node.children}
    return {node: above.get(node) for node in root.walk()}


def name_of(node: Node, above: Node | None) -> str:
    """The name of a node's factor."""
    if above is None:
        return ROOT
    return f"node_{node.begin}_{node.end - 1}" if node.children else f"mode_{node.begin}"


def free_widths(shape: Sequence[int]) -> tuple[int, ...]:
    """Widths, level by level, that constrain no tensor of a shape."""
    widths: dict[int, int] = {}
    for node, above in parents(len(shape)).items():
        if node.children:
            sides = [prod(shape[child.begin : child.end]) for child in node.children]
            widths[node.level] = max(widths.get(node.level, 1), min(sides) if above is None else prod(sides))
    return tuple(widths[level] for level in sorted(widths))


def _halves(node: Node, order: int) -> frozenset[frozenset[int]]:
    inside = frozenset(range(node.begin, node.end))
    return frozenset((inside, frozenset(range(order)) - inside))


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
