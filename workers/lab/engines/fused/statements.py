"""Statements of a step that both layouts share, on arrays by the same names."""

from collections.abc import Iterable, Iterator, Sequence
from string import Template
from typing import Protocol

from workers.lab.engines.fused.operations import gradient_of
from workers.lab.engines.fused.program import DISTURBANCES, GRADIENTS, LABELS, SHARES, Program


def lines(statements: Iterable[str]) -> str:
    """Statements as text, a line each."""
    return "\n        ".join(statements)


def slot_name(slot: int, number: int) -> str:
    """Name of the local array of a factor, or of a vector that the optimiser carries for it."""
    return f"slot{slot}_{number}" if slot else f"factor{number}"


def scalar_names(program: Program) -> list[str]:
    """Names of the numbers that follow the vectors in a state."""
    return [*(f"scalar{number}" for number in range(program.scalars)), *("time", "rest")[: program.times]]


def scalars(program: Program, to_state: bool) -> Iterator[str]:
    """Copies of the numbers that follow the vectors in a state, or back."""
    for place, name in enumerate(scalar_names(program), start=program.slots * program.entries):
        yield f"state[{place}] = {name};" if to_state else f"Lanes {name} = state[{place}];"


def constants(program: Program) -> Iterator[str]:
    """The constants of a run by their names: run_... is a number of each run, the name alone is that number spread.

    In the layout by columns a constant is the same in every column. Of each table, where all lanes begin to read it.
    """
    for number, name in enumerate(program.constants):
        if name in program.loss_constants:
            continue
        yield f"const Lanes run_{name} = constant[{number}]; const V {name} = V(run_{name});"
    for number, name in enumerate(program.tables):
        if name in DISTURBANCES:
            continue
        yield f"const bool {name}_shared = is_shared[{number}]; const Count {name}_stride = stride[{number}][0];"
        yield f"const T* const {name}_begin = table[{number}][0] + {name}_stride * from;"


def loss_constants(program: Program) -> Iterator[str]:
    """The constants of the loss by their names, which end those of a run."""
    for number, name in enumerate(program.constants):
        if name in program.loss_constants:
            yield f"const V {name} = V(constant[{number}]);"


def term(program: Program, weight: str, residual: str, part: str) -> str:
    """The loss of entry, or chunk of entries, n: its derivative is the signal, and `part` of twice the loss grows."""
    statements = Template(program.loss.statements).substitute(weight=weight, residual=residual)
    return f"{{ {statements} signal[n] = pulled; {part} = fused(left, right, {part}); }}"


class Statements(Protocol):
    """What the statements of a step need to know of a layout."""

    def size_of(self, shape: tuple[int, int]) -> int:
        """How many entries, or chunks, a matrix has."""
        ...

    def squares(self, out: str, matrix: str, shape: tuple[int, int]) -> Iterator[str]:
        """`out`, the sum of squares of a matrix; partial sums as those of a loss (`Program.partial_sums`)."""
        ...

    def drawn(self, names: Sequence[str], begin: int, shape: tuple[int, int], statement: str) -> Iterator[str]:
        """A statement for every entry, or chunk of entries, n of a matrix, with its numbers of tables by their names.

        Args:
            begin: where the numbers of the matrix begin among those of a step.
        """
        ...

    @property
    def unroll(self) -> str:
        """What stands before loops."""
        ...


def update(program: Program, layout: Statements) -> Iterator[str]:
    """The optimiser's step on every entry, or chunk of entries, of each factor."""
    if GRADIENTS in program.manner.disturbances:
        yield from _noisy_gradients(program, layout)
    manner, gradients = program.manner, [gradient_of(program, *factor).name for factor in enumerate(program.shapes)]
    if program.sums_squares:
        yield from _squares(program, layout, gradients)
    yield from _tables(program)
    yield from _rate(program, layout)
    yield f"const Lanes learning = run_rate; {program.update.before}"
    for number in program.trained:
        entries = {f"slot{slot}": f"{slot_name(slot, number)}[n]" for slot in range(program.slots)}
        gradient, begin = f"{gradients[number]}[n]", ""
        if manner.decay == "coupled" and not program.sums_squares:
            begin, gradient = f"const V pulled = fused(weight_decay, {entries['slot0']}, {gradient});", "pulled"
        elif manner.decay == "decoupled":
            begin = f"{entries['slot0']} = kept * {entries['slot0']};"
        step = Template(program.update.step).substitute(entries, gradient=gradient)
        count = layout.size_of(program.shapes[number])
        yield f"{{ {_rates_of_factor(program, number)}"
        yield f"{layout.unroll} for (int n = 0; n < {count}; ++n) {{ {begin} {step} }} }}"


def disturb(program: Program, layout: Statements, weight: str, residual: str) -> Iterator[str]:
    """The signal as a step takes it, from that of the loss; see `DISTURBANCES`.

    Args:
        weight, residual: of entry, or chunk of entries, n.
    """
    names = [name for name in program.manner.disturbances if name != GRADIENTS]
    statement = ""
    if LABELS in names:
        terms = Template(program.loss.statements).substitute(weight=weight, residual="noisy")
        statement = f"const V noisy = {residual} - {LABELS}; {terms} signal[n] = pulled;"
    if SHARES in names:
        statement += f" signal[n] = signal[n] * {SHARES};"
    if names:
        yield from layout.drawn(names, 0, (program.rows, program.observed_columns), statement)


def _noisy_gradients(program: Program, layout: Statements) -> Iterator[str]:
    """The noise of the step added to the gradients of the factors that take steps."""
    begin = 0
    for number, shape in enumerate(program.shapes):
        if number in program.trained:
            gradient = gradient_of(program, number, shape).name
            yield from layout.drawn((GRADIENTS,), begin, shape, f"{gradient}[n] = {gradient}[n] + {GRADIENTS};")
        begin += shape[0] * shape[1]


def _rates_of_factor(program: Program, number: int) -> str:
    """The rate of a factor, and what is kept of its entries by a decoupled decay."""
    factor = f" * run_factor_rate{number}" if program.manner.is_factored else ""
    rate = f"const V rate = V(run_rate{factor});"
    if program.manner.decay != "decoupled":
        return rate
    return f"{rate} const V kept = V(Lanes(T(1)) - learning{factor} * run_weight_decay);"


def _squares(program: Program, layout: Statements, gradients: Sequence[str]) -> Iterator[str]:
    """The squared norm of the gradient of each factor that takes steps, with what a coupled decay adds to it."""
    yield f"constexpr int TRAINED = {len(program.trained)}; Lanes squares[TRAINED];"
    for place, number in enumerate(program.trained):
        shape, gradient = program.shapes[number], gradients[number]
        if program.manner.decay == "coupled":
            added = f"fused(weight_decay, {slot_name(0, number)}[n], {gradient}[n])"
            yield f"{layout.unroll} for (int n = 0; n < {layout.size_of(shape)}; ++n) {gradient}[n] = {added};"
        yield from layout.squares(f"squares[{place}]", gradient, shape)


def _tables(program: Program) -> Iterator[str]:
    for number, name in enumerate(program.tables):
        if name in DISTURBANCES:
            continue
        kind = "Lanes" if name == "rate" else "const Lanes"
        shared, at = f"{name}_begin[{name}_stride * taken]", "from + taken"
        yield f"{kind} run_{name} = {name}_shared ? Lanes({shared}) : numbers_at({number}, {at});"
        if name != "rate":
            yield f"const V {name} = V(run_{name});"


def _rate(program: Program, layout: Statements) -> Iterator[str]:
    """The learning rate of the step, as far as no table has it."""
    if program.manner.rates == "constant":
        yield "Lanes run_rate = run_learning_rate;"
    elif program.manner.rates == "adaptive":
        yield "Lanes squared = squares[0]; for (int j = 1; j < TRAINED; ++j) squared = squared + squares[j];"
        yield "Lanes excess = T(0.5) * twice;"
        if program.manner.decay == "coupled":
            yield "Lanes weight = Lanes(T(0)), of_factor;"
            for number, shape in enumerate(program.shapes):
                yield from layout.squares("of_factor", slot_name(0, number), shape)
                yield "weight = weight + of_factor;"
            yield "excess = excess + T(0.5) * run_weight_decay * weight;"
        yield "excess = excess - run_minimum; const Lanes none = Lanes(T(0));"
        yield "Lanes run_rate = excess / squared; run_rate = run_rate < run_most ? run_rate : run_most;"
        yield "run_rate = ((excess > none) & (squared > none)) ? run_rate : none;"
        # The sum of the rates, and what its rounding left over (Knuth's two-sum).
        yield "const Lanes added = run_rate + rest, total = time + added, grown = total - time;"
        yield "rest = (time - (total - grown)) + (added - grown); time = total;"
