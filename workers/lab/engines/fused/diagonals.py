"""A diagonal network's step by lanes, as text: the vector w, its linear measurements, and the factors' gradients.

Measurements X of w, or back, go in blocks of sums that do not wait for each other. Every sum has one order, that of
the entries of w, or that of the measurements, whatever the blocks. Lanes with the same X read a number for all of them.
"""

from collections.abc import Iterator, Sequence

from workers.lab.engines.fused.program import Program
from workers.lab.engines.fused.text import KEEP_ROLLED, UNROLL

SUMS = 8
"""Sums of a block: as many as hide the time that a multiply-add takes."""


def forward(program: Program) -> Iterator[str]:
    """From the factors to the residual: w, and its measurements less the targets."""
    size = program.columns
    yield f"V entry[{size}]; for (int n = 0; n < {size}; ++n) {{"
    for number, (sign, factors) in enumerate(program.diagonal):
        term = " * ".join(f"factor{factor}[n]" for factor in factors)
        before = "entry[n] " if number else ("" if sign > 0 else "V(T(0)) ")
        yield f"entry[n] = {before}{'+' if number and sign > 0 else '' if sign > 0 else '-'} ({term});"
    yield f"}} V residual[{program.cells}];"
    if not program.samples:
        yield f"for (int n = 0; n < {size}; ++n) residual[n] = entry[n] - target[n];"
        return
    begin, out = "-target[{0}]", "residual[{0}] = {1};"
    yield from sums(program.samples, size, begin, "({0}) * " + str(size) + " + {1}", "entry[{0}]", out)


def backward(program: Program) -> Iterator[str]:
    """From the signal to the gradient of each factor, dl/dw times the other factors of its term."""
    size = program.columns
    yield f"V slope[{size}];"
    if program.samples:
        at = "{1} * " + str(size) + " + ({0})"
        yield from sums(size, program.samples, "V(T(0))", at, "signal[{0}]", "slope[{0}] = {1};")
    else:
        yield f"for (int n = 0; n < {size}; ++n) slope[n] = signal[n];"
    yield " ".join(f"V pulled_factor{number}[{size}];" for number in range(len(program.shapes)))
    yield f"for (int n = 0; n < {size}; ++n) {{"
    for sign, factors in program.diagonal:
        yield from _of_power(sign, factors) if len(set(factors)) == 1 else _of_product(sign, factors)
    yield "}"


def _of_power(sign: int, factors: Sequence[int]) -> Iterator[str]:
    """Of u^L it is L u^(L - 1) dl/dw."""
    others = "".join(f" * factor{factor}[n]" for factor in factors[1:])
    yield f"pulled_factor{factors[0]}[n] = V(T({sign * len(factors)})) * slope[n]{others};"


def _of_product(sign: int, factors: Sequence[int]) -> Iterator[str]:
    """Of u1 ... uL it is dl/dw times what is before the factor and what is after it."""
    last = len(factors) - 1
    yield f"{{ V after[{len(factors)}]; after[{last}] = V(T({sign})) * slope[n];"
    for number in range(last, 0, -1):
        yield f"after[{number - 1}] = after[{number}] * factor{factors[number]}[n];"
    yield f"pulled_factor{factors[0]}[n] = after[0]; V before = factor{factors[0]}[n];"
    for number in range(1, last + 1):
        yield f"pulled_factor{factors[number]}[n] = before * after[{number}];"
        if number < last:
            yield f"before = before * factor{factors[number]}[n];"
    yield "}"


def sums(count: int, terms: int, begin: str, at: str, right: str, out: str) -> Iterator[str]:
    """Sums of X times numbers, in whole blocks and then one by one.

    Args:
        count, terms: how many sums there are, and how many terms each has.
        begin: what a sum begins with, a format of its number.
        at: where X is, a format of the number of the sum and that of the term.
        right: what X is multiplied by, a format of the number of the term.
        out: the statement that keeps a sum, a format of its number and its value.
    """
    for shared, number in (("if (is_measured_alike)", "V(measured[0][{0}])"), ("else", "measured_at({0})")):
        yield f"{shared} {{"
        whole = count // SUMS * SUMS
        for first, end, width in ((0, whole, SUMS), (whole, count, 1)):
            place = "i + b"
            if first < end:
                yield f"{KEEP_ROLLED} for (int i = {first}; i < {end}; i += {width}) {{ V sum[{width}];"
                yield f"{UNROLL} for (int b = 0; b < {width}; ++b) sum[b] = {begin.format(place)};"
                yield f"{KEEP_ROLLED} for (int k = 0; k < {terms}; ++k) {{ const V other = {right.format('k')};"
                factor = number.format(at.format(place, "k"))
                yield f"{UNROLL} for (int b = 0; b < {width}; ++b) sum[b] = fused({factor}, other, sum[b]); }}"
                yield f"{UNROLL} for (int b = 0; b < {width}; ++b) {out.format(place, 'sum[b]')} }}"
        yield "}"
