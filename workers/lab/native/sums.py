"""Numbers in a row in compiled code, with the bits of `workers.runs.sequences.Sums`, written where steps read them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.native.building import bound, can_be_compiled
from workers.lab.native.draw_code import SCALARS
from workers.lab.native.vectors import vector_bytes
from workers.runs.sequences import STRIDE, Sums

Array = npt.NDArray[Any]

FIELDS = ("coarse", "fine", "terms", "skipped", "count", "is_squared", "scale", "plus", "out")
"""What the code reads of each row, as 64-bit integers: numbers, addresses, and the bits of scale and plus."""

SOURCE = """
#pragma clang fp contract(off)
typedef $scalar T;
typedef long long Count;
constexpr int WIDTH = $width, STRIDE = $stride, VECTORS = STRIDE / WIDTH;
typedef double D __attribute__((ext_vector_type($width), aligned(8)));
#define UNROLL _Pragma("unroll")
enum { $fields, FIELDS };

struct Code {
    // The numbers of a stride; its sums stay in registers.
    static __attribute__((noinline, min_vector_width($vector_bits))) void stride(
        const double* coarse, const double* fine, Count terms, bool is_squared, double scale, double plus, double* out
    ) {
        D sums[VECTORS];
        UNROLL for (int n = 0; n < VECTORS; ++n) sums[n] = D(coarse[0]) * *(const D*)(fine + n * WIDTH);
        for (Count term = 1; term < terms; ++term) {
            const D factor = D(coarse[term]);
            fine += STRIDE;
            UNROLL for (int n = 0; n < VECTORS; ++n) sums[n] = sums[n] + factor * *(const D*)(fine + n * WIDTH);
        }
        if (is_squared) UNROLL for (int n = 0; n < VECTORS; ++n) sums[n] = sums[n] * sums[n];
        UNROLL for (int n = 0; n < VECTORS; ++n) *(D*)(out + n * WIDTH) = sums[n] * D(scale) + D(plus);
    }
};

const Count* const c = (const Count*)call + Count(run) * FIELDS;
const double *factors = (const double*)c[coarse], *const moves = (const double*)c[fine];
double scale_, plus_;
__builtin_memcpy(&scale_, c + scale, sizeof(double));
__builtin_memcpy(&plus_, c + plus, sizeof(double));
T* const row = (T*)c[out];
for (Count begin = -c[skipped]; begin < c[count]; begin += STRIDE, factors += c[terms]) {
    double numbers[STRIDE];
    Code::stride(factors, moves, c[terms], c[is_squared], scale_, plus_, numbers);
    const Count first = begin < 0 ? -begin : 0, left = c[count] - begin, end = left < STRIDE ? left : STRIDE;
    for (Count n = first; n < end; ++n) row[begin + n] = T(numbers[n]);
}
"""


@dataclass(frozen=True)
class Added:
    """Sums, and where they are written.

    Attributes:
        sums: the numbers.
        out: (count,), of one number after the other in memory.
    """

    sums: Sums
    out: Array


@lru_cache(maxsize=4)
def source(scalar: str, vector: int) -> str:
    """The code for numbers of a precision and vectors of a length in bytes."""
    return Template(SOURCE).substitute(
        scalar=SCALARS[scalar], width=vector // 8, vector_bits=8 * vector, stride=STRIDE, fields=", ".join(FIELDS)
    )


def is_available(scalar: str) -> bool:
    """Whether the code can run: compiled now or before."""
    return can_be_compiled(source(scalar, vector_bytes()))


def fill(parts: Iterable[Added]) -> None:
    """Write sums, whose `out` are all of a type."""
    rows = [(part, _row(part)) for part in parts]
    if rows:
        call = np.array([row for _, (row, _) in rows], dtype=np.uint64).view(np.int64)
        bound(source(rows[0][0].out.dtype.name, vector_bytes()), len(rows), call)()


def _row(part: Added) -> tuple[list[int], tuple[Array, Array]]:
    """What the code reads of a row, as words, and the memory that it points to."""
    sums = part.sums
    coarse, fine = np.ascontiguousarray(sums.coarse), np.ascontiguousarray(sums.fine)
    fields = {
        "coarse": coarse.ctypes.data,
        "fine": fine.ctypes.data,
        "terms": len(fine),
        "skipped": sums.skipped,
        "count": sums.count,
        "is_squared": int(sums.is_squared),
        "scale": _bits(sums.scale),
        "plus": _bits(sums.plus),
        "out": part.out.ctypes.data,
    }
    return [fields[name] for name in FIELDS], (coarse, fine)


def _bits(value: float) -> int:
    return int(np.float64(value).view(np.uint64))
