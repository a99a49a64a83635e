"""The text of a matrix product in tiles: some rows by some vectors of columns, whose sums stay in registers.

A tile reads each number of `b` once for all its rows and each number of `a` once for all its vectors. With 6 rows by 4
vectors of AVX-512, ten loads feed 24 multiply-adds; with 4 rows by 3 vectors of AVX2, seven feed 12.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from workers.lab.engines.fused.program import CHUNK_BYTES, Program
from workers.lab.engines.fused.sharing import PARTS
from workers.lab.engines.fused.text import KEEP_ROLLED, UNROLL

REGISTERS = {32: 16, 64: 32}
"""Vector registers of a core, by the bytes of a vector."""

MOST_VECTORS = {32: 3, 64: 4}
"""Vectors of a tile at most, by the bytes of a vector."""

MOST_VECTORS_OF_ROW = {32: 8, 64: 16}
"""Vectors of a tile of a single row, which must hide the time that a multiply-add takes."""

MOST_TERMS = 100
"""Terms of a tile at most: so many rows of its vectors of `b`, 25 KiB, stay in the first-level cache. Longer sums are
stored and gone on with."""

MOST_ROWS = 12
"""Rows of a tile at most; more would only make the code longer."""


@dataclass(frozen=True)
class Tiles:
    """The product out = a b, or a b - minus, of row-major matrices.

    Attributes:
        program: whose vectors are used.
        rows: of `a` and `out`.
        inner: terms of a sum.
        columns: of `b`, `minus` and `out`, padded to chunks; also the distance of their rows.
        row_step: distance in `a` from row to row.
        inner_step: distance in `a` from term to term.
        has_minus: whether sums start at -minus.
    """

    program: Program
    rows: int
    inner: int
    columns: int
    row_step: int
    inner_step: int
    has_minus: bool

    def text(self) -> str:
        """Statements that compute the product, column group by column group."""
        return "\n        ".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"constexpr int J = {self.columns};"
        if self.program.is_shared:
            yield f"constexpr int PARTS = {PARTS};"
        begin = 0
        for terms, count in _groups(self.inner, MOST_TERMS):
            for _ in range(count):
                yield "{ int j = 0, piece = 0;" if self.program.is_shared else "{ int j = 0;"
                yield from self._block(begin, begin + terms)
                yield "}"
                begin += terms

    def _block(self, begin: int, end: int) -> Iterator[str]:
        """The terms from `begin` to `end` of all sums."""
        for kind, vectors, count in _column_groups(self.program, self.columns, MOST_VECTORS):
            most_rows = (REGISTERS[self.program.vector_bytes] - 1 - vectors) // vectors
            step = vectors * _width(self.program, kind)
            yield f"{KEEP_ROLLED} for (int m = 0; m < {count}; ++m, j += {step})"
            yield from self._part()
            for rows, tiles in _groups(self.rows, min(MOST_ROWS, most_rows)):
                yield f"{KEEP_ROLLED} for (int t = {self._bound(tiles, 0)}; t < {self._bound(tiles, 1)}; ++t) {{"
                yield f"const int i = first_row + t * {rows};"
                yield from self._tile(kind, rows, vectors, begin, end)
                yield f"}} first_row += {rows * tiles};"
            yield "}"

    def _part(self) -> Iterator[str]:
        """The beginning of a piece; of shared products only that which is wanted is computed."""
        if self.program.is_shared:
            yield f"{KEEP_ROLLED} for (int part = 0; part < PARTS; ++part) if (piece++ == only) {{ int first_row = 0;"
        else:
            yield "{ int first_row = 0;"

    def _bound(self, tiles: int, end: int) -> str:
        """The tiles at which a piece begins and ends."""
        if not self.program.is_shared:
            return str(tiles * end)
        return f"{tiles} * (part + {end}) / PARTS"

    @property
    def pieces(self) -> int:
        """Pieces of a shared product."""
        return PARTS * sum(count for _, _, count in _column_groups(self.program, self.columns, MOST_VECTORS))

    def _tile(self, kind: str, rows: int, vectors: int, begin: int, end: int) -> Iterator[str]:
        """Sums of `rows` rows by `vectors` vectors, each in the order of k."""
        over_rows, over_vectors = (
            f"{UNROLL} for (int {n} = 0; {n} < {size}; ++{n})" for n, size in zip("rc", (rows, vectors), strict=True)
        )
        column = f"J + j + c * {_width(self.program, kind)}"
        left = f"{kind}(a[(i + r) * {self.row_step} + {{k}} * {self.inner_step}])"
        right = f"*(const {kind}*)(b + {{k}} * {column})"
        first = f"{left.format(k=0)} * {right.format(k=0)}"
        if begin:
            first = f"*(const {kind}*)(out + (i + r) * {column})"
        elif self.has_minus:
            first = f"-*(const {kind}*)(minus + (i + r) * {column})"
        yield f"{kind} sum[{rows}][{vectors}]; {over_rows} {over_vectors} sum[r][c] = {first};"
        yield f"{KEEP_ROLLED} for (int k = {begin or int(not self.has_minus)}; k < {end}; ++k) {{"
        yield f"{kind} right[{vectors}]; {over_vectors} right[c] = {right.format(k='k')};"
        yield f"{over_rows} {{ const {kind} left = {left.format(k='k')};"
        yield f"{over_vectors} sum[r][c] = __builtin_elementwise_fma(left, right[c], sum[r][c]); }} }}"
        yield f"{over_rows} {over_vectors} *({kind}*)(out + (i + r) * {column}) = sum[r][c];"


@dataclass(frozen=True)
class RowTiles:
    """A row times a matrix, out = a b, or a b - minus; each number of `b` is read once.

    Attributes:
        program: whose vectors are used.
        outer, inner: rows and columns of the matrix whose entries, row by row, are the row `a`.
        stride: distance in `a` from row to row of that matrix.
        columns: of `b`, `minus` and `out`, padded to chunks.
        has_minus: whether sums start at -minus.
    """

    program: Program
    outer: int
    inner: int
    stride: int
    columns: int
    has_minus: bool

    def text(self) -> str:
        """Statements that compute the row, column group by column group, each sum in the order of the entries."""
        return "\n        ".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"constexpr int J = {self.columns}; int j = 0;"
        for kind, vectors, count in _column_groups(self.program, self.columns, MOST_VECTORS_OF_ROW):
            width = _width(self.program, kind)
            over_vectors = f"{UNROLL} for (int c = 0; c < {vectors}; ++c)"
            first = f"-*(const {kind}*)(minus + j + c * {width})" if self.has_minus else f"{kind}(T(0))"
            yield f"{KEEP_ROLLED} for (int m = 0; m < {count}; ++m, j += {vectors * width}) {{"
            yield f"{kind} sum[{vectors}]; {over_vectors} sum[c] = {first}; const T* right = b + j;"
            yield f"{KEEP_ROLLED} for (int i = 0; i < {self.outer}; ++i)"
            yield f"{KEEP_ROLLED} for (int k = 0; k < {self.inner}; ++k, right += J) {{"
            yield f"const {kind} left = {kind}(a[i * {self.stride} + k]);"
            term = f"*(const {kind}*)(right + c * {width})"
            yield f"{over_vectors} sum[c] = __builtin_elementwise_fma(left, {term}, sum[c]); }}"
            yield f"{over_vectors} *({kind}*)(out + j + c * {width}) = sum[c]; }}"


def _column_groups(program: Program, columns: int, most: Mapping[int, int]) -> Iterator[tuple[str, int, int]]:
    """(vector type, vectors, number of groups) of the columns; a last chunk may be half of a vector."""
    full, rest = divmod(columns * program.item_bytes, program.vector_bytes)
    for vectors, count in _groups(full, most[program.vector_bytes]):
        yield "X", vectors, count
    if rest:
        yield "V", 1, 1


def _width(program: Program, kind: str) -> int:
    """Numbers of a vector."""
    return (program.vector_bytes if kind == "X" else CHUNK_BYTES) // program.item_bytes


def _groups(total: int, most: int) -> Iterator[tuple[int, int]]:
    """(size, number) of groups as equal as can be, none larger than `most`, that make up `total`."""
    if total:
        count = -(-total // most)
        sizes = [total // count + (number < total % count) for number in range(count)]
        yield from ((size, len(list(group))) for size, group in groupby(sizes))
