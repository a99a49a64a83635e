"""Binary trees over the modes of a tensor: neighbours are joined two by two, level by level, up to the root."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A node of a tree over modes, or a leaf, which is a single mode.

    Attributes:
        begin, end: its modes are begin ... end - 1.
        level: 0 of a leaf; of others that of their row of the tree, the lowest being 1.
        children: two of a node, none of a leaf.
    """

    begin: int
    end: int
    level: int = 0
    children: tuple["Node", ...] = ()

    def walk(self) -> Iterator["Node"]:
        """This node last, below it everything under its first child and then everything under its second."""
        for child in self.children:
            yield from child.walk()
        yield self


def tree_of(order: int) -> Node:
    """The root of the tree over modes 0 ... order - 1; what is left over in a row of odd length goes up a level."""
    row, level = [Node(mode, mode + 1) for mode in range(order)], 0
    while len(row) > 1:
        level += 1
        pairs = zip(row[::2], row[1::2], strict=False)
        joined = [Node(left.begin, right.end, level, (left, right)) for left, right in pairs]
        row = joined + row[len(row) - len(row) % 2 :]
    return row[0]
