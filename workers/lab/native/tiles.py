"""The text of a matrix product of any sizes, in tiles whose sums stay in registers, term after term.

The fused engine writes its tiles for one set of sizes (`workers.lab.engines.fused.tiles`); these take sizes as numbers,
so that they are compiled once.
"""

from collections.abc import Iterator

REGISTERS = {16: 32, 32: 16, 64: 32}
"""Vector registers of a core, by the bytes of a vector."""

MOST_VECTORS = {16: 4, 32: 3, 64: 4}
"""Vectors of a tile at most, by the bytes of a vector."""

MOST_ROWS = 8
"""Rows of a tile at most: their addresses stay in registers too."""

SIGNATURE = "const T* a, Count row_step, Count inner_step, Count inner, const T* b, Count stride, T* out, bool adds"
UNROLL = '_Pragma("unroll")'


def product(vector_bytes: int, item_bytes: int) -> str:
    """Functions of which the last, `product(rows, columns, ...)`, writes out = a b, or out + a b where it `adds`.

    a has the entry (i, k) at i * row_step + k * inner_step; `b` and `out` have rows of `stride` numbers, of which
    `columns` are computed: a multiple of half a vector.
    """
    width = vector_bytes // item_bytes
    return "\n".join([*_tiles(vector_bytes, width), _columns(vector_bytes), _product(vector_bytes, width)])


def _most_rows(vector_bytes: int, vectors: int) -> int:
    return min(MOST_ROWS, (REGISTERS[vector_bytes] - 1 - vectors) // vectors)


def _sizes(vector_bytes: int) -> Iterator[tuple[str, int, int]]:
    """(type of vectors, their number, rows) of all tiles; H is half a vector."""
    for vectors in range(1, MOST_VECTORS[vector_bytes] + 1):
        yield from (("X", vectors, rows) for rows in range(1, _most_rows(vector_bytes, vectors) + 1))
    yield from (("H", 1, rows) for rows in range(1, MOST_ROWS + 1))


def _tiles(vector_bytes: int, width: int) -> Iterator[str]:
    for kind, vectors, rows in _sizes(vector_bytes):
        numbers = width if kind == "X" else width // 2
        over_rows = f"{UNROLL} for (int r = 0; r < {rows}; ++r)"
        over_vectors = f"{UNROLL} for (int c = 0; c < {vectors}; ++c)"
        yield f"""
    static WIDE void tile_{kind}_{vectors}_{rows}({SIGNATURE}) {{
        {kind} sum[{rows}][{vectors}];
        {over_rows} {over_vectors} sum[r][c] = adds ? *(const {kind}*)(out + r * stride + c * {numbers}) : {kind}(T(0));
        for (Count k = 0; k < inner; ++k, a += inner_step, b += stride) {{
            {kind} right[{vectors}];
            {over_vectors} right[c] = *(const {kind}*)(b + c * {numbers});
            {over_rows} {{
                const {kind} left = {kind}(a[r * row_step]);
                {over_vectors} sum[r][c] = __builtin_elementwise_fma(left, right[c], sum[r][c]);
            }}
        }}
        {over_rows} {over_vectors} *({kind}*)(out + r * stride + c * {numbers}) = sum[r][c];
    }}"""


def _columns(vector_bytes: int) -> str:
    cases = "\n".join(
        f"            case {(0 if kind == 'H' else vectors) * (MOST_ROWS + 1) + rows}: "
        f"tile_{kind}_{vectors}_{rows}(a, row_step, inner_step, inner, b, stride, out, adds); break;"
        for kind, vectors, rows in _sizes(vector_bytes)
    )
    most = ", ".join(str(_most_rows(vector_bytes, max(1, n))) for n in range(MOST_VECTORS[vector_bytes] + 1))
    return f"""
    // All rows of some vectors of columns; 0 vectors are half of one.
    static void columns_of(int vectors, Count rows, {SIGNATURE}) {{
        const int most_rows[] = {{{most}}};
        const Count groups = (rows + most_rows[vectors] - 1) / most_rows[vectors];
        for (Count g = 0; g < groups; ++g) {{
            const Count size = rows / groups + (g < rows % groups);
            switch (vectors * {MOST_ROWS + 1} + size) {{
{cases}
            }}
            a += size * row_step;
            out += size * stride;
        }}
    }}"""


def _product(vector_bytes: int, width: int) -> str:
    most = MOST_VECTORS[vector_bytes]
    return f"""
    static void product(Count rows, Count columns, {SIGNATURE}) {{
        const Count vectors = columns / {width}, groups = (vectors + {most - 1}) / {most};
        for (Count g = 0; g < groups; ++g) {{
            const Count size = vectors / groups + (g < vectors % groups);
            columns_of(size, rows, a, row_step, inner_step, inner, b, stride, out, adds);
            b += size * {width};
            out += size * {width};
        }}
        if (columns % {width}) columns_of(0, rows, a, row_step, inner_step, inner, b, stride, out, adds);
    }}"""
