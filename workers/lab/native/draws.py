"""Draws of batches and noise in compiled code, with the bits of `workers.runs.draws`, written where steps read them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.native.building import bound, can_be_compiled
from workers.lab.native.draw_code import FIELDS, KINDS, source
from workers.lab.native.vectors import vector_bytes
from workers.runs.disturbing import Draws

Array = npt.NDArray[Any]

MOST_SORTED = 2**12
"""Most samples whose orders the code draws: it draws an epoch's order again in every call, numpy keeps the last."""


@dataclass(frozen=True)
class Filled:
    """Draws of consecutive steps, and where they are written.

    Attributes:
        draws: what is drawn.
        step, count: the steps.
        out: where the first number of the first step is written, and in its memory all others.
        width: distance of the steps in `out`.
        places: int64 (draws of a step, repeats), where each stands in a step; None where they are in order.
    """

    draws: Draws
    step: int
    count: int
    out: Array
    width: int
    places: npt.NDArray[np.int64] | None


def takes(draws: Draws) -> bool:
    """Whether the code can make draws."""
    return draws.kind != "order" or draws.numbers <= MOST_SORTED


def is_available(scalar: str) -> bool:
    """Whether the code can run: compiled now or before."""
    return can_be_compiled(source(scalar, vector_bytes()))


def fill(parts: Iterable[Filled]) -> None:
    """Write draws, which `takes` names and whose `out` are all of a type."""
    parts = [part for part in parts if part.count]
    if parts:
        sizes = [part.draws.numbers for part in parts if part.draws.kind == "order"]
        memory = np.empty((2 * max(sizes, default=0), 2), dtype=np.uint64)
        call = np.array([_row(part, memory) for part in parts], dtype=np.uint64).view(np.int64)
        bound(source(parts[0].out.dtype.name, vector_bytes()), len(parts), call)()


def _row(part: Filled, memory: Array) -> list[int]:
    """What the code reads of a row, as words."""
    draws, places = part.draws, part.places
    epoch, before = divmod(part.step, draws.steps_of_epoch) if draws.kind == "order" else (part.step, 0)
    # numpy adds 1 to the counter before it computes a block.
    counter = epoch * -(-draws.words // 4) + 1
    fields = {
        "kind": KINDS.index(draws.kind),
        "seed": draws.seed,
        "stream": draws.stream,
        "counter": counter % 2**64,
        "counter_high": counter >> 64,
        "left": draws.numbers - before * draws.batch,
        "count": part.count,
        "words": draws.words,
        "numbers": draws.numbers,
        "batch": draws.batch,
        "scale": int(np.float64(draws.scale).view(np.uint64)),
        "places": 0 if places is None else places.ctypes.data,
        "repeats": 1 if places is None else places.shape[1],
        "width": part.width,
        "out": part.out.ctypes.data,
        "memory": memory.ctypes.data,
    }
    return [fields[name] for name in FIELDS]
