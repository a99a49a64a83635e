"""C++ source of the fused engine's inner loop, written out for one set of shapes.

A block is `LANES` runs side by side, one lane of a vector each. Every quantity of a step is a vector over runs, so all
lanes do the same arithmetic in the same order, whatever their number. Multiply-adds are explicit and the compiler may
fuse nothing else, which makes a run's bits independent of the lanes around it and of the device.

A step follows a balanced tree of products. With W = A B the signal S = dl/dW is pulled back to A as S B^T and to B as
A^T S, down to the factors. This takes 3 (L - 1) matrix products for depth L, of which only 2 log2(L) depend on each
other in a chain. For W = U U^T the signal is pulled back as (S + S^T) U.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from string import Template

from workers.lab.engines.fused.text import ADVANCE, BLOCK, KEEP_ROLLED, TYPES, UNROLL, VECTOR_TYPES
from workers.lab.optimizers import MATHS, FusedUpdate
from workers.runs.milestones import LOSS_DECADES, WIDTH
from workers.runs.spec import RunSpec

MOST_UNROLLED = 1000
"""Multiply-adds of a step up to which all loops are unrolled, so that factors can stay in registers."""

SCALARS = {"float64": ("double", "1.7976931348623157e308"), "float32": ("float", "3.40282347e38f")}
"""Type of a number and the largest finite one, by precision."""


OVER, FRESH, GOING, CONVERGED, EXHAUSTED, DIVERGED = range(6)
"""Status of a lane: over before the launch (or only filling a block), at step 0 and not yet tested, going on, and the
ways to end."""


@dataclass(frozen=True)
class Program:
    """Everything that the compiled code depends on.

    Attributes:
        shapes: (rows, columns) of each factor, first to last.
        slots: vectors in a state.
        update: the optimiser's step.
        precision: float64 or float32.
        lanes: runs side by side in a block, a power of two.
        symmetric: whether the product is the only factor times its transpose.
    """

    shapes: tuple[tuple[int, int], ...]
    slots: int
    update: FusedUpdate
    precision: str
    lanes: int
    symmetric: bool = False

    @property
    def entries(self) -> int:
        """Trained numbers of one run."""
        return sum(prod(shape) for shape in self.shapes)

    @property
    def cells(self) -> int:
        """Entries of the product."""
        return self.shapes[0][0] * (self.shapes[0][0] if self.symmetric else self.shapes[-1][1])

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one step of one run."""
        products = 3 * sum(self.shapes[0][0] * inner * outer for inner, outer in self.shapes[1:])
        if self.symmetric:
            products = 2 * self.shapes[0][0] * self.entries
        return products + 2 * self.cells + self.slots * self.entries


@dataclass(frozen=True)
class _Node:
    """Consecutive factors and their product: a leaf is a single factor, other nodes are `left` times `right`."""

    name: str
    rows: int
    columns: int
    children: tuple["_Node", ...] = field(default=())


def update_of(spec: RunSpec) -> FusedUpdate:
    """The step of a spec's optimiser; the fused engine must be able to take it."""
    update = MATHS[type(spec.optimizer)].fused
    assert update is not None
    return update


def source(program: Program) -> str:
    """Body of the native function that advances one block; see `workers.lab.engines.fused.kernels` for arguments."""
    types = VECTOR_TYPES if program.lanes > 1 else TYPES
    substitutions = {**_sizes(program), **_pieces(program)}
    return "".join(Template(text).substitute(substitutions) for text in (types, BLOCK, ADVANCE))


def _sizes(program: Program) -> dict[str, object]:
    """Types, sizes and status codes, by their names in the templates."""
    scalar, largest = SCALARS[program.precision]
    return {
        "scalar": scalar,
        "largest": largest,
        "lanes": program.lanes,
        "entries": program.entries,
        "slots": program.slots,
        "cells": program.cells,
        "constant_count": len(program.update.constants),
        "decades": len(LOSS_DECADES),
        "milestones": WIDTH,
        "statuses": f"OVER = {OVER}, FRESH = {FRESH}, GOING = {GOING}, "
        f"CONVERGED = {CONVERGED}, EXHAUSTED = {EXHAUSTED}, DIVERGED = {DIVERGED}",
    }


def _pieces(program: Program) -> dict[str, str]:
    """Statements that depend on the shapes and the optimiser, by their names in the templates."""
    root = _tree(program.shapes, 0, len(program.shapes))
    return {
        "constants": _lines(_constants(program)),
        "load": _lines(_load(program)),
        "forward": _lines(_square(root, program) if program.symmetric else _forward(root, program)),
        "backward": _lines(
            _square_backward(root, program) if program.symmetric else _backward(root, "signal", program)
        ),
        "update": _lines(_update(program)),
        "store": _lines(_store(program)),
        "unroll": _unroll(program),
    }


def _tree(shapes: tuple[tuple[int, int], ...], first: int, end: int) -> _Node:
    rows, columns = shapes[first][0], shapes[end - 1][1]
    if end - first == 1:
        return _Node(f"factor{first}", rows, columns)
    middle = (first + end + 1) // 2
    children = _tree(shapes, first, middle), _tree(shapes, middle, end)
    return _Node(f"product{first}_{end}", rows, columns, children)


def _load(program: Program) -> Iterator[str]:
    """Copy the state into one local array per factor and slot, which the compiler can keep in registers."""
    for name, size, start in _parts(program):
        yield f"V {name}[{size}];"
        yield f"{_unroll(program)} for (int n = 0; n < {size}; ++n) {name}[n] = state[{start} + n];"


def _store(program: Program) -> Iterator[str]:
    for name, size, start in _parts(program):
        yield f"{_unroll(program)} for (int n = 0; n < {size}; ++n) state[{start} + n] = {name}[n];"


def _parts(program: Program) -> Iterator[tuple[str, int, int]]:
    """Name, size and offset in the state of each local array."""
    start = 0
    for slot in range(program.slots):
        for number, shape in enumerate(program.shapes):
            yield _slot_name(slot, number), prod(shape), start
            start += prod(shape)


def _slot_name(slot: int, number: int) -> str:
    """Name of the local array of a factor, or of a vector that the optimiser carries for it."""
    return f"slot{slot}_{number}" if slot else f"factor{number}"


def _constants(program: Program) -> Iterator[str]:
    """The constants of the optimiser by their names, and its statements before the first step."""
    for number, name in enumerate(program.update.constants):
        yield f"const V {name} = constant[{number}];"
    yield program.update.prepare


def _forward(node: _Node, program: Program, root: bool = True) -> Iterator[str]:
    """Products from the leaves up; that of the root is written into `residual`, with sums that start at -target."""
    if node.children:
        left, right = node.children
        yield from _forward(left, program, root=False)
        yield from _forward(right, program, root=False)
        out, start = ("residual", "-target[i * J + j]") if root else (node.name, None)
        yield from _product(program, out, (node.rows, left.columns, node.columns), _entry(left), _entry(right), start)
    elif root:
        yield f"V residual[{program.cells}];"
        yield f"{_unroll(program)} for (int n = 0; n < {program.cells}; ++n) residual[n] = {node.name}[n] - target[n];"


def _backward(node: _Node, signal: str, program: Program) -> Iterator[str]:
    """Signals from the root down; the signal of a leaf is the gradient of its factor."""
    if not node.children:
        return
    left, right = node.children
    rows, inner, columns = node.rows, left.columns, node.columns
    from_left, from_right = f"pulled_{left.name}", f"pulled_{right.name}"
    signal_entry = f"{signal}[{{0}} * {columns} + {{1}}]"
    yield from _product(program, from_left, (rows, columns, inner), signal_entry, _entry(right, transposed=True))
    yield from _product(program, from_right, (inner, rows, columns), _entry(left, transposed=True), signal_entry)
    yield from _backward(left, from_left, program)
    yield from _backward(right, from_right, program)


def _square(factor: _Node, program: Program) -> Iterator[str]:
    """The residual of W = U U^T, with sums that start at -target."""
    sizes, start = (factor.rows, factor.columns, factor.rows), "-target[i * J + j]"
    yield from _product(program, "residual", sizes, _entry(factor), _entry(factor, transposed=True), start)


def _square_backward(factor: _Node, program: Program) -> Iterator[str]:
    """The gradient (S + S^T) U of the only factor."""
    size = factor.rows
    loops = (f"{_unroll(program)} for (int {index} = 0; {index} < {size}; ++{index})" for index in "ij")
    yield f"V both[{program.cells}];"
    yield f"{' '.join(loops)} both[i * {size} + j] = signal[i * {size} + j] + signal[j * {size} + i];"
    both_entry = f"both[{{0}} * {size} + {{1}}]"
    yield from _product(program, f"pulled_{factor.name}", (size, size, factor.columns), both_entry, _entry(factor))


def _update(program: Program) -> Iterator[str]:
    is_product = program.symmetric or len(program.shapes) > 1
    for number, shape in enumerate(program.shapes):
        entries = {f"slot{slot}": f"{_slot_name(slot, number)}[n]" for slot in range(program.slots)}
        gradient = f"pulled_factor{number}[n]" if is_product else "signal[n]"
        step = Template(program.update.step).substitute(entries, gradient=gradient)
        yield f"{_unroll(program)} for (int n = 0; n < {prod(shape)}; ++n) {{ {step} }}"


def _entry(node: _Node, transposed: bool = False) -> str:
    """Entry (row, column) of a node's matrix, or of its transpose, as a format of these two indices."""
    row, column = ("{1}", "{0}") if transposed else ("{0}", "{1}")
    return f"{node.name}[{row} * {node.columns} + {column}]"


def _product(
    program: Program, out: str, sizes: tuple[int, int, int], left: str, right: str, start: str | None = None
) -> Iterator[str]:
    """out (I x J) = start + left (I x K) right (K x J), each sum in the order of k.

    The rows of a large product stay a loop: the compiler would unroll some, at ten times the compile time and no gain.
    """
    rows, inner, columns = sizes
    first = start or f"{left.format('i', 0)} * {right.format(0, 'j')}"
    begin = 0 if start else 1
    unroll, left_entry, right_entry = _unroll(program), left.format("i", "k"), right.format("k", "j")
    yield f"V {out}[{rows * columns}]; {{ constexpr int I = {rows}, K = {inner}, J = {columns};"
    yield f"{unroll or KEEP_ROLLED} for (int i = 0; i < I; ++i) {{"
    yield f"{unroll} for (int j = 0; j < J; ++j) {{ V sum = {first};"
    yield f"{unroll} for (int k = {begin}; k < K; ++k) sum = fused({left_entry}, {right_entry}, sum);"
    yield f"{out}[i * J + j] = sum; }} }} }}"


def _unroll(program: Program) -> str:
    return UNROLL if program.multiply_adds <= MOST_UNROLLED else ""


def _lines(lines: Iterator[str]) -> str:
    return "\n        ".join(lines)
