"""Statements of a step that both layouts share, on arrays by the same names."""

from collections.abc import Callable, Iterable, Iterator
from string import Template

from workers.lab.engines.fused.operations import gradient_of
from workers.lab.engines.fused.program import Program


def lines(statements: Iterable[str]) -> str:
    """Statements as text, a line each."""
    return "\n        ".join(statements)


def slot_name(slot: int, number: int) -> str:
    """Name of the local array of a factor, or of a vector that the optimiser carries for it."""
    return f"slot{slot}_{number}" if slot else f"factor{number}"


def constants(program: Program) -> Iterator[str]:
    """The constants of the optimiser by their names, and its statements before the first step.

    In the layout by columns a constant is the same in every column.
    """
    for number, name in enumerate(program.update.constants):
        yield f"const V {name} = V(constant[{number}]);"
    yield program.update.prepare


def loss_constants(program: Program) -> Iterator[str]:
    """The constants of the loss by their names."""
    for number, name in enumerate(program.loss.constants, start=len(program.update.constants)):
        yield f"const V loss_{name} = V(constant[{number}]);"


def term(program: Program, weight: str, residual: str, part: str) -> str:
    """The loss of entry, or chunk of entries, n: its derivative is the signal, and `part` of twice the loss grows."""
    statements = Template(program.loss.statements).substitute(weight=weight, residual=residual)
    return f"{{ {statements} signal[n] = pulled; {part} = fused(left, right, {part}); }}"


def update(program: Program, size_of: Callable[[tuple[int, int]], int], unroll: str = "") -> Iterator[str]:
    """The optimiser's step on every entry, or chunk of entries, of each factor.

    Args:
        size_of: how many entries, or chunks, a factor has, by its shape.
        unroll: what stands before the loops.
    """
    for number, shape in enumerate(program.shapes):
        entries = {f"slot{slot}": f"{slot_name(slot, number)}[n]" for slot in range(program.slots)}
        gradient = f"{gradient_of(program, number, shape).name}[n]"
        step = Template(program.update.step).substitute(entries, gradient=gradient)
        yield f"{unroll} for (int n = 0; n < {size_of(shape)}; ++n) {{ {step} }}"
