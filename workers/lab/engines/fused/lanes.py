"""The text of a step in the layout by lanes: runs stand side by side, one lane of a vector each.

Every quantity of a step is a vector over runs, so all lanes do the same arithmetic in the same order, whatever their
number.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from workers.lab.engines.fused import diagonals
from workers.lab.engines.fused.operations import (
    Matrix,
    Measured,
    Operation,
    Product,
    Residual,
    Symmetrized,
    Unmeasured,
    backward,
    forward,
)
from workers.lab.engines.fused.program import Program
from workers.lab.engines.fused.statements import (
    constants,
    disturb,
    lines,
    loss_constants,
    scalars,
    slot_name,
    term,
    update,
)
from workers.lab.engines.fused.text import KEEP_ROLLED, UNROLL

MOST_UNROLLED = 1000
"""Multiply-adds of a step up to which all loops are unrolled, so that factors can stay in registers."""


def pieces(program: Program) -> dict[str, str]:
    """Statements of a step, by their names in the templates."""
    return {
        "storage": "Block now, before;",
        "work": "",
        "functions": "",
        "load": lines((*_load(program), *loss_constants(program))),
        "constants": lines(constants(program)),
        "forward": lines(diagonals.forward(program) if program.diagonal else _all(program, forward(program))),
        "signal": "V signal[CELLS];",
        "loss": lines(_loss(program)),
        "disturb": lines(disturb(program, _ByLanes(program), "weight[n]", "residual[n]")),
        "backward": lines(diagonals.backward(program) if program.diagonal else _all(program, backward(program))),
        "update": lines(update(program, _ByLanes(program))),
        "store": lines(_store(program)),
    }


def _all(program: Program, operations: Iterable[Operation]) -> Iterator[str]:
    return (line for operation in operations for line in _text(program, operation))


def _load(program: Program) -> Iterator[str]:
    """Copy the state into one local array per factor and slot, which the compiler can keep in registers."""
    for name, size, start in _parts(program):
        yield f"V {name}[{size}];"
        yield f"{_unroll(program)} for (int n = 0; n < {size}; ++n) {name}[n] = state[{start} + n];"
    yield from scalars(program, to_state=False)


def _store(program: Program) -> Iterator[str]:
    for name, size, start in _parts(program):
        yield f"{_unroll(program)} for (int n = 0; n < {size}; ++n) state[{start} + n] = {name}[n];"
    yield from scalars(program, to_state=True)


def _parts(program: Program) -> Iterator[tuple[str, int, int]]:
    """Name, size and offset in the state of each local array."""
    start = 0
    for slot in range(program.slots):
        for number, shape in enumerate(program.shapes):
            yield slot_name(slot, number), prod(shape), start
            start += prod(shape)


def _loss(program: Program) -> Iterator[str]:
    """The signal, and twice the loss."""
    sums, unroll, rows, columns = (
        program.partial_sums,
        _unroll(program),
        program.observed_rows,
        program.observed_columns,
    )
    yield f"Lanes twice; {{ V sum[{sums}];"
    yield f"{unroll} for (int n = 0; n < {sums}; ++n) sum[n] = V(T(0));"
    yield f"{unroll} for (int i = 0; i < {rows}; ++i) {unroll} for (int j = 0; j < {columns}; ++j) {{"
    yield f"const int n = i * {columns} + j; V& part = sum[j % {sums}];"
    yield f"{term(program, 'weight[n]', 'residual[n]', 'part')} }}"
    yield from _halved(sums, "twice")


def _halved(partial_sums: int, out: str) -> Iterator[str]:
    """`out` from partial sums, half of which are added to the others until one is left."""
    yield f"{UNROLL} for (int half = {partial_sums // 2}; half > 0; half /= 2)"
    yield f"{UNROLL} for (int n = 0; n < half; ++n) sum[n] = sum[n] + sum[n + half];"
    yield f"{out} = sum[0]; }}"


def _squares(program: Program, out: str, matrix: str, shape: tuple[int, int]) -> Iterator[str]:
    """`out`, the sum of the squares of the entries of a matrix."""
    partial_sums, unroll, (rows, columns) = program.partial_squares, _unroll(program), shape
    if partial_sums == 1:
        yield f"{out} = {matrix}[0] * {matrix}[0];"
        yield f"{unroll} for (int n = 1; n < {rows * columns}; ++n) {out} = fused({matrix}[n], {matrix}[n], {out});"
        return
    yield f"{{ V sum[{partial_sums}];"
    yield f"{unroll} for (int n = 0; n < {partial_sums}; ++n) sum[n] = V(T(0));"
    yield f"{unroll} for (int i = 0; i < {rows}; ++i) {unroll} for (int j = 0; j < {columns}; ++j) {{"
    yield f"const int n = i * {columns} + j; V& part = sum[j % {partial_sums}];"
    yield f"part = fused({matrix}[n], {matrix}[n], part); }}"
    yield from _halved(partial_sums, out)


@dataclass(frozen=True)
class _ByLanes:
    """See `Statements`."""

    program: Program

    @property
    def unroll(self) -> str:
        return _unroll(self.program)

    def size_of(self, shape: tuple[int, int]) -> int:
        return prod(shape)

    def drawn(self, names: Sequence[str], begin: int, shape: tuple[int, int], statement: str) -> Iterator[str]:
        tables = [self.program.tables.index(name) for name in names]
        reads = (
            f"const V {name} = numbers_at({table}, from + taken, {begin} + n);"
            for name, table in zip(names, tables, strict=True)
        )
        yield f"{self.unroll} for (int n = 0; n < {prod(shape)}; ++n) {{ {' '.join(reads)} {statement} }}"

    def squares(self, out: str, matrix: str, shape: tuple[int, int]) -> Iterator[str]:
        return _squares(self.program, out, matrix, shape)


def _text(program: Program, operation: Operation) -> Iterator[str]:
    match operation:
        case Product():
            yield from _product(program, operation)
        case Residual(out, factor):
            yield f"V {out.name}[CELLS];"
            yield f"{_unroll(program)} for (int n = 0; n < CELLS; ++n) {out.name}[n] = {factor.name}[n] - target[n];"
        case Symmetrized(out, signal):
            size, name = out.rows, signal.name
            loops = (f"{_unroll(program)} for (int {index} = 0; {index} < {size}; ++{index})" for index in "ij")
            yield f"V {out.name}[{size * size}]; {' '.join(loops)}"
            yield f"{out.name}[i * {size} + j] = {name}[i * {size} + j] + {name}[j * {size} + i];"
        case Measured(out, product):
            size, write = product.rows * product.columns, "residual[{0}] = {1};"
            yield f"V {out.name}[CELLS];"
            at = f"({{0}}) * {size} + {{1}}"
            yield from diagonals.sums(program.samples, size, "-target[{0}]", at, f"{product.name}[{{0}}]", write)
        case Unmeasured(out, signal):
            size, write = out.rows * out.columns, f"{out.name}[{{0}}] = {{1}};"
            yield f"V {out.name}[{size}];"
            at = f"{{1}} * {size} + ({{0}})"
            yield from diagonals.sums(size, program.samples, "V(T(0))", at, f"{signal.name}[{{0}}]", write)


def _product(program: Program, product: Product) -> Iterator[str]:
    """Each sum in the order of k, from its first product or from -target.

    The rows of a large product stay a loop: the compiler would unroll some, at ten times the compile time and no gain.
    """
    out, left, right = product.out, _entry(product.left, product.left_transposed), _right(product)
    first = "-target[i * J + j]" if product.minus_target else f"{left.format('i', 0)} * {right.format(0, 'j')}"
    begin, unroll = 0 if product.minus_target else 1, _unroll(program)
    yield f"V {out.name}[{out.rows * out.columns}];"
    yield f"{{ constexpr int I = {out.rows}, K = {product.inner}, J = {out.columns};"
    yield f"{unroll or KEEP_ROLLED} for (int i = 0; i < I; ++i) {{"
    yield f"{unroll} for (int j = 0; j < J; ++j) {{ V sum = {first};"
    yield f"{unroll} for (int k = {begin}; k < K; ++k)"
    yield f"sum = fused({left.format('i', 'k')}, {right.format('k', 'j')}, sum);"
    yield f"{out.name}[i * J + j] = sum; }} }} }}"


def _right(product: Product) -> str:
    return _entry(product.right, product.right_transposed)


def _entry(matrix: Matrix, transposed: bool) -> str:
    """Entry (row, column) of a matrix, or of its transpose, as a format of these two indices."""
    row, column = ("{1}", "{0}") if transposed else ("{0}", "{1}")
    return f"{matrix.name}[{row} * {matrix.columns} + {column}]"


def _unroll(program: Program) -> str:
    return UNROLL if program.multiply_adds <= MOST_UNROLLED else ""
