"""Kernels of the fused engine: compiled once per program and device, kept on disk by Warp.

Each kernel is a module of its own, so that compiling one shape never compiles another. Warp moves a finished build into
its cache with one rename, so that processes may compile the same kernel at once.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy.typing as npt
import warp as wp

from workers.lab.engines.fused.source import Program, source

OPTIONS = {"enable_backward": False, "fast_math": False, "fuse_fp": False, "optimization_level": 3}
"""fuse_fp off: the source says itself where a multiply-add is, the same for every number of lanes and every device."""

NUMBERS = (
    "states",
    "targets",
    "weights",
    "constants",
    "limits",
    "losses",
    "thresholds",
    "due_losses",
    "due_factors",
)
COUNTS = ("taken_steps", "last_steps", "milestones", "due", "due_end", "due_steps")
CODES = ("status", "reached")
"""Arrays of a launch, by type: in the run's precision, int64, int32."""


def launch(program: Program, device: str, blocks: int, steps: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Take at most `steps` steps with `blocks` blocks of runs, in place.

    Args:
        program: what is computed.
        device: name of a Warp device.
        blocks: groups of `program.lanes` runs.
        steps: steps of each run, at least 1.
        arrays: the names of NUMBERS, COUNTS and CODES, contiguous; see `workers.lab.engines.fused.launches`.
    """
    kernel, runs_type = kernel_of(program)
    runs = runs_type()
    shared = {name: wp.array(arrays[name].reshape(-1), device=device, copy=False) for name in runs_type.vars}
    for name, array in shared.items():
        setattr(runs, name, array)
    wp.launch(kernel, dim=blocks, inputs=[steps, runs], device=device)
    if wp.get_device(device).is_cuda:
        for name, array in shared.items():
            arrays[name].reshape(-1)[...] = array.numpy()


@lru_cache(maxsize=1)
def _start() -> None:
    """Initialise Warp, which tells the standard error about a missing GPU whatever its log level."""
    wp.config.log_level = wp.LOG_ERROR
    standard_error = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        wp.init()
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)


@lru_cache(maxsize=256)
def kernel_of(program: Program) -> tuple[Any, Any]:
    """The kernel of a program, compiled at its first launch on a device, and the struct of arrays that it takes."""
    _start()
    number = wp.float64 if program.precision == "float64" else wp.float32
    types: list[tuple[Any, tuple[str, ...]]] = [(number, NUMBERS), (wp.int64, COUNTS), (wp.int32, CODES)]
    fields = {name: wp.array(dtype=dtype) for dtype, names in types for name in names}
    runs_type: Any = wp.struct(type("Runs", (), {"__annotations__": fields, "__module__": __name__}))

    def advance_block(block: Any, steps: Any, runs: Any) -> None: ...

    advance_block.__annotations__ = {"block": int, "steps": wp.int64, "runs": runs_type}
    advance: Any = wp.func_native(source(program))(advance_block)

    def fused_descent(steps: Any, runs: Any) -> None:
        advance(wp.tid(), steps, runs)

    fused_descent.__annotations__ = {"steps": wp.int64, "runs": runs_type}
    return wp.kernel(fused_descent, module="unique", module_options=OPTIONS), runs_type
