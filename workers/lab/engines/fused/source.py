"""C++ source of the fused engine's inner loop, written out for one set of shapes.

Multiply-adds are explicit and the compiler may fuse nothing else. Every sum has one order, and functions such as exp
are called number by number. This makes a run's bits independent of the runs around it, of the layout and, but for such
functions, of the device.
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
    SHARED_ROWS,
    TABLE_ROWS,
    TABLES,
    TYPES,
    VECTOR_TYPES,
)
from workers.lab.optimizers import MATHS
from workers.lab.updates import FusedUpdate
from workers.runs.milestones import LOSS_DECADES, WIDTH
from workers.runs.spec import RunSpec

SCALARS = {"float64": ("double", "1.7976931348623157e308"), "float32": ("float", "3.40282347e38f")}
"""Type of a number and the largest finite one, by precision."""

SUFFIXES = {"float64": "", "float32": "f"}
"""Ends of the names of functions, by precision."""


def update_of(spec: RunSpec) -> FusedUpdate:
    """The step of a spec's optimiser; the fused engine must be able to take it."""
    update = MATHS[type(spec.optimizer)].fused
    assert update is not None
    return update


def source(program: Program) -> str:
    """Body of the native function that advances one block; see `workers.lab.engines.fused.kernels` for arguments."""
    layout = columns if program.layout == "columns" else lanes
    calls = {name: f"{name}{SUFFIXES[program.precision]}" for name in ("exp", "log", "pow")}
    functions = Template(program.loss.functions).substitute(calls)
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
    scalar, largest = SCALARS[program.precision]
    return {
        "scalar": scalar,
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
        "cells": program.cells,
        "constant_count": len(program.constants),
        "decades": len(LOSS_DECADES),
        "milestones": WIDTH,
        "statuses": f"OVER = {OVER}, FRESH = {FRESH}, GOING = {GOING}, "
        f"CONVERGED = {CONVERGED}, EXHAUSTED = {EXHAUSTED}, DIVERGED = {DIVERGED}",
    }
