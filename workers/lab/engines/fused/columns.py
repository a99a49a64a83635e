"""The text of a step in the layout by columns: one run, with the columns of a matrix side by side in vectors.

Every entry is the same sum in the same order as in the layout by lanes, so both give the same bits. Rows are padded
with zeros to chunks of CHUNK_BYTES. The arrays stand in memory that the launch brings along, because large ones do not
fit a thread's stack.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

from workers.lab.engines.fused import sharing
from workers.lab.engines.fused.memory import ALIGNMENT, Memory
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
    residual_of,
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
from workers.lab.engines.fused.text import UNROLL
from workers.lab.engines.fused.tiles import RowTiles, Tiles

_FUNCTION = "static RANKWARD_WIDE __attribute__((noinline)) void"


def pieces(program: Program) -> dict[str, str]:
    """Statements of a step, by their names in the templates."""
    return _Writer(program, Memory(program)).pieces()


@lru_cache(maxsize=256)
def workspace_numbers(program: Program) -> int:
    """Numbers of memory that a launch brings along; a part of them serves to align the others."""
    memory = Memory(program)
    _Writer(program, memory).pieces()
    return memory.size + ALIGNMENT // program.item_bytes


def measured_numbers(program: Program) -> int:
    """Numbers of the measurements of a run, for products from the right: a padded row for each entry of the product.

    After these comes a padded row for each measurement, for the way back.
    """
    unit = ALIGNMENT // program.item_bytes
    return -(-program.rows * program.columns * Memory(program).stride(program.samples) // unit) * unit


@dataclass(frozen=True)
class _Writer:
    """Writes the text, and gives each array its memory.

    Attributes:
        program: the program.
        memory: what is taken so far.
        functions: bodies of the functions for products and transposes, by what stands before them.
        shared: names of those whose products cores share.
    """

    program: Program
    memory: Memory
    functions: dict[str, str] = field(default_factory=dict[str, str])
    shared: list[str] = field(default_factory=list[str])

    def pieces(self) -> dict[str, str]:
        program, residual = self.program, residual_of(self.program)
        texts = {
            "work": "T* work; Count* desk;" if program.is_shared else "T* work;",
            "storage": self._storage(),
            "load": lines((*self._load(), *loss_constants(program))),
            "constants": lines(constants(program)),
            "forward": lines(line for operation in forward(program) for line in self._text(operation)),
            "signal": self.memory.declared("signal", residual.rows, residual.columns),
            "loss": lines(self._loss()),
            "disturb": lines(disturb(program, self, "weight_chunks[n]", "residual[n]")),
            "backward": lines(line for operation in backward(program) for line in self._text(operation)),
            "update": lines(update(program, self)),
            "store": lines(chain(self._copies(to_state=True), scalars(program, to_state=True))),
        }
        functions = "".join(f"{head} {{\n{body}\n    }}\n    " for head, body in self.functions.items())
        return {**texts, "functions": functions + (sharing.text(self.shared) if program.is_shared else "")}

    def _storage(self) -> str:
        blocks = "".join(f"Block& {name} = *(Block*)(work + {self.memory.block()}); " for name in ("now", "before"))
        begin = f"((unsigned long long)runs.workspace.data + {ALIGNMENT - 1}) / {ALIGNMENT} * {ALIGNMENT}"
        desk = "now.desk = before.desk = (Count*)runs.desk.data;" if self.program.is_shared else ""
        helps = sharing.STORAGE if self.program.is_shared else ""
        return f"{helps} T* work = (T*)({begin}); {blocks} now.work = before.work = work; {desk}"

    def _load(self) -> Iterator[str]:
        program = self.program
        for slot in range(program.slots):
            for number, shape in enumerate(program.shapes):
                yield self.memory.declared(slot_name(slot, number), *shape)
        yield from self._copies(to_state=False)
        yield from scalars(program, to_state=False)
        for name in ("target", "weight"):
            shape = (program.observed_rows, program.observed_columns)
            yield self.memory.declared(f"{name}_chunks", *shape)
            yield self._copy(name, 0, f"{name}_chunks", shape, to_state=False)

    def _copies(self, to_state: bool) -> Iterator[str]:
        """Copies of the state to the padded arrays, or back."""
        start = 0
        for slot in range(self.program.slots):
            for number, shape in enumerate(self.program.shapes):
                yield self._copy("state", start, slot_name(slot, number), shape, to_state)
                start += shape[0] * shape[1]

    def _copy(self, flat: str, start: int, padded: str, shape: tuple[int, int], to_state: bool) -> str:
        rows, columns = shape
        stride = self.memory.stride(columns)
        flat_entry, padded_entry = f"{flat}[{start} + i * {columns} + j]", f"((T*){padded})[i * {stride} + j]"
        width, inner = columns, f"{flat_entry} = {padded_entry};"
        if not to_state:
            width, inner = stride, f"{padded_entry} = j < {columns} ? {flat_entry} : T(0);"
        return f"for (int i = 0; i < {rows}; ++i) for (int j = 0; j < {width}; ++j) {inner}"

    def _text(self, operation: Operation) -> Iterator[str]:
        match operation:
            case Product():
                yield from self._product(operation)
            case Residual(out, factor):
                chunks = self.memory.chunks(out.rows, out.columns)
                yield self.memory.declared(out.name, out.rows, out.columns)
                yield f"for (int n = 0; n < {chunks}; ++n) {out.name}[n] = {factor.name}[n] - target_chunks[n];"
            case Symmetrized(out, signal):
                yield from self._transposed(signal, out.name, add=True)
            case Measured(out, product):
                yield from self._measured(out, product, "measured[0]", minus="(T*)target_chunks")
            case Unmeasured(out, signal):
                begin = measured_numbers(self.program)
                yield from self._measured(out, signal, f"measured[0] + {begin}", minus="nullptr")

    def _transposed(self, matrix: Matrix, name: str, add: bool = False) -> Iterator[str]:
        """A transposed copy; where `add` says so, the matrix plus its transpose."""
        rows, columns = self.memory.stride(matrix.columns), self.memory.stride(matrix.rows)
        function = f"transpose_{matrix.rows}_{matrix.columns}{'_add' * add}"
        plus = f" + in[j * {rows} + i]" * add
        self.functions[f"{_FUNCTION} {function}(const T* in, T* out)"] = (
            f"for (int j = 0; j < {matrix.columns}; ++j) for (int i = 0; i < {columns}; ++i)"
            f" out[j * {columns} + i] = i < {matrix.rows} ? in[i * {rows} + j]{plus} : T(0);"
        )
        yield self.memory.declared(name, matrix.columns, matrix.rows)
        yield f"{function}((T*){matrix.name}, (T*){name});"

    def _product(self, product: Product) -> Iterator[str]:
        out, right, stride = product.out, product.right.name, self.memory.stride
        if product.right_transposed:
            right = f"{product.right.name}_transposed"
            yield from self._transposed(product.right, right)
        left_stride = stride(product.left.columns)
        steps = (1, left_stride) if product.left_transposed else (left_stride, 1)
        tiles = Tiles(self.program, out.rows, product.inner, stride(out.columns), *steps, product.minus_target)
        function = f"product_{out.rows}_{product.inner}_{out.columns}"
        function += "_transposed" * product.left_transposed + "_target" * product.minus_target
        only = ", int only" * self.program.is_shared
        self.functions[f"{_FUNCTION} {function}(const T* a, const T* b, const T* minus, T* out{only})"] = tiles.text()
        minus = "(T*)target_chunks" if product.minus_target else "nullptr"
        arguments = f"(T*){product.left.name}, (T*){right}, {minus}, (T*){out.name}"
        yield self.memory.declared(out.name, out.rows, out.columns)
        yield self._shared(function, tiles.pieces, arguments) if self.program.is_shared else f"{function}({arguments});"

    def _shared(self, function: str, pieces: int, arguments: str) -> str:
        """The call of a product whose pieces cores share."""
        if function not in self.shared:
            self.shared.append(function)
        return f"share(desk, {self.shared.index(function)}, {pieces}, {arguments});"

    def _measured(self, out: Matrix, entries: Matrix, matrix: str, minus: str) -> Iterator[str]:
        """The entries of a matrix, as a row, times measurements or back; see `measured_numbers`."""
        stride, columns = self.memory.stride, self.memory.chunks(out.rows, out.columns) * self.program.chunk
        tiles = RowTiles(
            self.program, entries.rows, entries.columns, stride(entries.columns), columns, minus != "nullptr"
        )
        function = "measure" if minus != "nullptr" else "unmeasure"
        self.functions[f"{_FUNCTION} {function}(const T* a, const T* b, const T* minus, T* out)"] = tiles.text()
        yield self.memory.declared(out.name, out.rows, out.columns)
        yield f"{function}((T*){entries.name}, {matrix}, {minus}, (T*){out.name});"

    @property
    def unroll(self) -> str:
        """See `Statements`."""
        return ""

    def size_of(self, shape: tuple[int, int]) -> int:
        """See `Statements`."""
        return self.memory.chunks(*shape)

    def drawn(self, names: Sequence[str], begin: int, shape: tuple[int, int], statement: str) -> Iterator[str]:
        """See `Statements`; the numbers of a step are padded first."""
        yield "{"
        for name in names:
            table, padded = self.program.tables.index(name), f"{name}_{shape[0]}_{shape[1]}"
            yield self.memory.declared(padded, *shape)
            yield f"const T* const {name}_now = table[{table}][0] + stride[{table}][0] * (from + taken);"
            yield self._copy(f"{name}_now", begin, padded, shape, to_state=False)
        reads = " ".join(f"const V {name} = {name}_{shape[0]}_{shape[1]}[n];" for name in names)
        yield f"for (int n = 0; n < {self.size_of(shape)}; ++n) {{ {reads} {statement} }} }}"

    def squares(self, out: str, matrix: str, shape: tuple[int, int]) -> Iterator[str]:
        """See `Statements`; padding adds zeros."""
        chunks, sums = self.memory.chunks(1, shape[1]), self.program.partial_squares // self.program.chunk
        yield f"{{ V sum[{sums}]; for (int n = 0; n < {sums}; ++n) sum[n] = V(T(0));"
        yield f"for (int i = 0; i < {shape[0]}; ++i) for (int c = 0; c < {chunks}; ++c) {{"
        yield f"const V entry = {matrix}[i * {chunks} + c]; sum[c % {sums}] = fused(entry, entry, sum[c % {sums}]); }}"
        yield from self._halved(self.program.partial_squares, out)

    def _halved(self, partial_sums: int, out: str) -> Iterator[str]:
        """`out` from partial sums, half of which are added to the others until one is left."""
        yield f"T* part = (T*)sum; for (int half = {partial_sums // 2}; half > 0; half /= 2)"
        yield "for (int n = 0; n < half; ++n) part[n] = part[n] + part[n + half];"
        yield f"{out} = part[0]; }}"

    def _loss(self) -> Iterator[str]:
        """The signal, and twice the loss."""
        program = self.program
        chunks, sums = self.memory.chunks(1, program.observed_columns), -(-program.partial_sums // program.chunk)
        yield f"Lanes twice; {{ V sum[{sums}];"
        yield f"for (int n = 0; n < {sums}; ++n) sum[n] = V(T(0));"
        yield f"for (int i = 0; i < {program.observed_rows}; ++i) {{"
        yield from self._without_padding(chunks)
        yield f"{UNROLL} for (int c = 0; c < {chunks}; ++c) {{ const int n = i * {chunks} + c;"
        yield f"V& part = sum[c % {sums}]; {term(program, 'weight_chunks[n]', 'residual[n]', 'part')} }} }}"
        yield from self._halved(program.partial_sums, "twice")

    def _without_padding(self, chunks: int) -> Iterator[str]:
        """Zeros after a row of the residual, where an infinite factor times the padding left NaN."""
        columns = self.program.observed_columns
        yield f"for (int j = {columns}; j < {self.memory.stride(columns)}; ++j)"
        yield f"((T*)(residual + i * {chunks}))[j] = T(0);"
