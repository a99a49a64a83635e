"""C++ source of the fused engine's inner loop, written out for one set of shapes.

Multiply-adds are explicit and the compiler may fuse nothing else. Every sum has one order, and so have exp, ln and
powers. This makes a run's bits independent of the runs around it, of the layout and of the device.
"""

from collections.abc import Iterator
from string import Template

from workers.lab.engines.fused import columns, lanes
from workers.lab.engines.fused.program import (
    CONVERGED,
    DISTURBANCES,
    DIVERGED,
    EXHAUSTED,
    FRESH,
    GOING,
    OVER,
    Program,
)
from workers.lab.engines.fused.text import (
    ADVANCE,
    BLOCK,
    COLUMN_TYPES,
    MEASURED,
    MEASURED_ALIKE,
    MEASURED_ROWS,
    SHARED_ROWS,
    TABLE_ROWS,
    TABLES,
    TYPES,
    VECTOR_TYPES,
)
from workers.lab.native.functions import text_of
from workers.lab.optimizers import MATHS
from workers.lab.updates import FusedUpdate
from workers.runs.milestones import LOSS_DECADES, WIDTH
from workers.runs.spec import RunSpec

SCALARS = {
    "float64": ("double", "long long", "1.7976931348623157e308"),
    "float32": ("float", "int", "3.40282347e38f"),
}
"""Type of a number, of an integer as large, and the largest finite number, by precision."""


def update_of(spec: RunSpec) -> FusedUpdate:
    """The step of a spec's optimiser; the fused engine must be able to take it."""
    update = MATHS[type(spec.optimizer)].fused
    assert update is not None
    return update


def source(program: Program) -> str:
    """Body of the native function that advances one block; see `workers.lab.engines.fused.kernels` for arguments."""
    layout = columns if program.layout == "columns" else lanes
    functions = text_of(program.loss.functions, program.precision)
    substitutions = {**_sizes(program), **layout.pieces(program), "loss_functions": functions}
    return "".join(Template(text).substitute(substitutions) for text in (_types(program), BLOCK, ADVANCE))


def _parked(program: Program) -> Iterator[str]:
    """Statements by which a lane that is over draws zeros."""
    for number, name in enumerate(program.tables):
        if name in DISTURBANCES:
            yield f"table[{number}][number] = zeros; stride[{number}][number] = 0;"


def _types(program: Program) -> str:
    if program.layout == "columns":
        return COLUMN_TYPES
    return VECTOR_TYPES if program.lanes > 1 else TYPES


def _sizes(program: Program) -> dict[str, object]:
    """Types, sizes and status codes, by their names in the templates."""
    scalar, whole, largest = SCALARS[program.precision]
    return {
        "scalar": scalar,
        "whole": whole,
        "largest": largest,
        "lanes": program.lanes,
        "chunk": program.chunk,
        "vector": program.vector_bytes // program.item_bytes,
        "vector_bits": 8 * max(program.vector_bytes, program.lanes * program.item_bytes),
        "entries": program.entries,
        "state": program.state_numbers,
        "times": program.times,
        "table_count": len(program.tables),
        "tables": TABLES if program.tables else "",
        "table_rows": TABLE_ROWS if program.tables else "",
        "park_tables": " ".join(_parked(program)),
        "shared_rows": SHARED_ROWS if program.tables else "",
        "measured": MEASURED if program.samples else "",
        "measured_rows": MEASURED_ROWS if program.samples else "",
        "measured_alike": MEASURED_ALIKE if program.samples else "",
        "cells": program.cells,
        "constant_count": len(program.constants),
        "decades": len(LOSS_DECADES),
        "milestones": WIDTH,
        "statuses": f"OVER = {OVER}, FRESH = {FRESH}, GOING = {GOING}, "
        f"CONVERGED = {CONVERGED}, EXHAUSTED = {EXHAUSTED}, DIVERGED = {DIVERGED}",
    }
