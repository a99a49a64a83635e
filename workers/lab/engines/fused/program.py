"""What the compiled code of the fused engine depends on."""

from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np

from workers.lab.losses import SQUARES, FusedLoss
from workers.lab.updates import FusedUpdate
from workers.runs.optimizers import TIME_SCALARS

OVER, FRESH, GOING, CONVERGED, EXHAUSTED, DIVERGED = range(6)
"""Status of a lane: over before the launch (or only filling a block), at step 0 and not yet tested, going on, and the
ways to end."""

MOST_PARTIAL_SUMS = 16
"""Most partial sums of a loss."""

WIDE = 4
"""Columns from which a product is wide: its loss has partial sums, and the layout by columns can take it."""

CHUNK_BYTES = 32
"""Bytes to which the rows of a matrix are padded in the layout by columns."""

LABELS, SHARES, GRADIENTS = DISTURBANCES = ("label_noise", "shares", "gradient_noise")
"""Tables with a number for each entry of the product, and for each trained number, at every step: what is added to the
observed values, by what the signal is multiplied, and what is added to the gradient."""

Layout = Literal["lanes", "columns"]
Terms = tuple[tuple[int, tuple[int, ...]], ...]
"""Signs, and numbers of factors."""


@dataclass(frozen=True)
class Manner:
    """How the steps of a batch are taken, whatever the optimiser.

    Attributes:
        rates: where the learning rate comes from: a constant of the run, a table of steps, or the state (Polyak).
        decay: how weights decay.
        is_factored: whether the rate differs from factor to factor.
        frozen: numbers of the factors that take no steps.
        disturbances: names of what changes the gradient of a step, of DISTURBANCES.
    """

    rates: Literal["constant", "table", "adaptive"] = "constant"
    decay: Literal["none", "coupled", "decoupled"] = "none"
    is_factored: bool = False
    frozen: tuple[int, ...] = ()
    disturbances: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """Everything that the compiled code depends on.

    Attributes:
        shapes: (rows, columns) of each factor, first to last.
        slots: vectors in a state.
        update: the optimiser's step.
        precision: float64 or float32.
        lanes: runs side by side in a block, a power of two; 1 in the layout by columns.
        symmetric: whether the product is the only factor times its transpose.
        layout: what stands side by side in a vector, runs or the columns of a matrix.
        vector_bytes: bytes of the vectors in the products of the layout by columns.
        loss: the loss of an entry and its derivative.
        scalars: single numbers that the optimiser carries beside its vectors.
        manner: how the steps are taken.
        diagonal: of a diagonal network, whose factors are single rows, each term's sign and the numbers of its factors.
        samples: linear measurements of a run, 0 where entries are observed.
        is_shared: whether several cores share the products of the layout by columns.
    """

    shapes: tuple[tuple[int, int], ...]
    slots: int
    update: FusedUpdate
    precision: str
    lanes: int
    symmetric: bool = False
    layout: Layout = "lanes"
    vector_bytes: int = CHUNK_BYTES
    loss: FusedLoss = SQUARES.fused
    scalars: int = 0
    manner: Manner = Manner()
    diagonal: Terms = ()
    samples: int = 0
    is_shared: bool = False

    @property
    def trained(self) -> tuple[int, ...]:
        """Numbers of the factors that take steps."""
        return tuple(number for number in range(len(self.shapes)) if number not in self.manner.frozen)

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of the constants of a run, in the order of their memory."""
        rates = {"constant": ("learning_rate",), "table": (), "adaptive": ("minimum", "most")}[self.manner.rates]
        decay = ("weight_decay",) if self.manner.decay != "none" else ()
        factors = tuple(f"factor_rate{number}" for number in self.trained) if self.manner.is_factored else ()
        return (*self.update.constants, *rates, *decay, *factors, *self.loss_constants)

    @property
    def loss_constants(self) -> tuple[str, ...]:
        """Names of the constants of the loss."""
        return tuple(f"loss_{name}" for name in self.loss.constants)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the numbers that a run reads at every step, in the order of their memory."""
        rates = ("rate",) if self.manner.rates == "table" else ()
        return (*rates, *self.update.tables, *self.manner.disturbances)

    def width(self, table: str) -> int:
        """Numbers of a table at a step."""
        if table not in DISTURBANCES:
            return 1
        return self.entries if table == GRADIENTS else self.cells

    @property
    def times(self) -> int:
        """Numbers that end the state of a run whose rates are summed in it."""
        return TIME_SCALARS if self.manner.rates == "adaptive" else 0

    @property
    def state_numbers(self) -> int:
        """Numbers in the state of a run."""
        return self.slots * self.entries + self.scalars + self.times

    @property
    def sums_squares(self) -> bool:
        """Whether a step needs the squared norms of the gradients."""
        return self.update.sums_squares or self.manner.rates == "adaptive"

    @property
    def entries(self) -> int:
        """Trained numbers of one run."""
        return sum(prod(shape) for shape in self.shapes)

    @property
    def rows(self) -> int:
        """Rows of the product."""
        return self.shapes[0][0]

    @property
    def columns(self) -> int:
        """Columns of the product."""
        return self.rows if self.symmetric else self.shapes[-1][1]

    @property
    def cells(self) -> int:
        """Entries of the product, or its linear measurements: the numbers of which the loss is taken."""
        return self.samples or self.rows * self.columns

    @property
    def observed_rows(self) -> int:
        """Rows of the matrix that those numbers are laid out in."""
        return 1 if self.samples else self.rows

    @property
    def observed_columns(self) -> int:
        """Columns of the matrix that those numbers are laid out in."""
        return self.samples or self.columns

    @property
    def partial_sums(self) -> int:
        """Partial sums of the loss, a power of two: column j adds to sum j modulo it, whatever the layout.

        A narrow product has a single sum, to which entry after entry is added.
        """
        if self.observed_columns < WIDE:
            return 1
        return min(MOST_PARTIAL_SUMS, 1 << (self.observed_columns - 1).bit_length())

    @property
    def partial_squares(self) -> int:
        """Partial sums of a sum of squares over a factor; a product too narrow for columns takes a single one."""
        return 1 if self.columns < WIDE else MOST_PARTIAL_SUMS

    @property
    def numbers_at_hand(self) -> int:
        """Numbers of a run that a step by lanes has on the stack, estimated from above: three states, with products."""
        return 3 * self.state_numbers + self.entries + 6 * self.cells + 4 * self.rows * self.columns

    @property
    def item_bytes(self) -> int:
        """Bytes of a number."""
        return np.dtype(self.precision).itemsize

    @property
    def chunk(self) -> int:
        """Numbers of a chunk."""
        return CHUNK_BYTES // self.item_bytes

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one step of one run."""
        products = 3 * sum(self.shapes[0][0] * inner * outer for inner, outer in self.shapes[1:])
        if self.diagonal:
            products = 2 * self.samples * self.columns + 3 * self.entries
        elif self.symmetric:
            products = 2 * self.shapes[0][0] * self.entries
        if self.samples and not self.diagonal:
            products += 2 * self.samples * self.rows * self.columns
        squares = self.entries if self.sums_squares else 0
        return products + 2 * self.cells + self.slots * self.entries + squares
