"""Kernels of the fused engine: compiled once per program and device, and kept on disk by Warp.

Each kernel is a separate Warp module, so that compiling one shape never compiles another. Warp moves a finished build
into its cache by a single rename, so several processes may compile the same kernel at once.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy.typing as npt
import warp as wp

from workers.lab.engines.descents import EngineUnavailable
from workers.lab.engines.fused.program import Program
from workers.lab.engines.fused.source import source

OPTIONS = {"enable_backward": False, "fast_math": False, "fuse_fp": False, "optimization_level": 3}
"""fuse_fp is off because the source itself says where to fuse, the same for every number of lanes and every device."""

_unwritable: list[str] = []
"""Why no kernel can be compiled in this process, if that is so."""

FLOAT_ARRAYS = (
    "states",
    "targets",
    "weights",
    "constants",
    "limits",
    "losses",
    "thresholds",
    "due_losses",
    "due_factors",
    "due_times",
    "tables",
    "workspace",
)
INT64_ARRAYS = (
    "taken_steps",
    "last_steps",
    "milestones",
    "due",
    "due_end",
    "due_steps",
    "table_begins",
    "table_strides",
)
INT32_ARRAYS = ("status", "reached")
"""Arrays of a launch by type; floats have the run's precision."""


def launch(program: Program, device: str, blocks: int, steps: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Take at most `steps` steps with `blocks` blocks of runs, in place.

    Args:
        program: the program of the batch.
        device: name of a Warp device.
        blocks: how many groups of `program.lanes` runs there are.
        steps: the most steps of each run, at least 1.
        arrays: contiguous, by the names in FLOAT_ARRAYS, INT64_ARRAYS and INT32_ARRAYS; see
            `workers.lab.engines.fused.launches`.

    Raises:
        EngineUnavailable: the kernel is not compiled yet, and its directory cannot be written.
    """
    with _cache_needed():
        _launch(program, device, blocks, steps, arrays)


def _launch(program: Program, device: str, blocks: int, steps: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    kernel, runs_type = kernel_of(program)
    runs = runs_type()
    shared = {name: wp.array(arrays[name].reshape(-1), device=device, copy=False) for name in runs_type.vars}
    for name, array in shared.items():
        setattr(runs, name, array)
    wp.launch(kernel, dim=blocks, inputs=[steps, runs], device=device)
    if wp.get_device(device).is_cuda:
        for name, array in shared.items():
            arrays[name].reshape(-1)[...] = array.numpy()


@contextmanager
def _cache_needed() -> Generator[None]:
    """Turn the errors of a cache that cannot be written into one of the engine, now and at every later call."""
    if _unwritable:
        raise EngineUnavailable(_unwritable[0])
    try:
        yield
    except OSError as error:
        _unwritable.append(f"The directory of compiled kernels cannot be written: {error}.")
        raise EngineUnavailable(_unwritable[0]) from error


@lru_cache(maxsize=1)
def _start() -> None:
    """Initialise Warp, with standard error silenced: Warp reports a missing GPU on it at any log level."""
    wp.config.log_level = wp.LOG_ERROR
    standard_error = os.dup(2)
    with open(os.devnull, "w") as null_device:
        os.dup2(null_device.fileno(), 2)
    try:
        wp.init()
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)


@lru_cache(maxsize=256)
def kernel_of(program: Program) -> tuple[Any, Any]:
    """The kernel of a program, compiled at its first launch on a device, and the struct of arrays that it takes."""
    _start()
    scalar = wp.float64 if program.precision == "float64" else wp.float32
    types = ((scalar, FLOAT_ARRAYS), (wp.int64, INT64_ARRAYS), (wp.int32, INT32_ARRAYS))
    fields: dict[str, Any] = {name: wp.array(dtype=dtype) for dtype, names in types for name in names}
    runs_type: Any = wp.struct(type("Runs", (), {"__annotations__": fields, "__module__": __name__}))

    def advance_block(block: Any, steps: Any, runs: Any) -> None: ...

    advance_block.__annotations__ = {"block": int, "steps": wp.int64, "runs": runs_type}
    advance: Any = wp.func_native(source(program))(advance_block)

    def fused_descent(steps: Any, runs: Any) -> None:
        advance(wp.tid(), steps, runs)

    fused_descent.__annotations__ = {"steps": wp.int64, "runs": runs_type}
    return wp.kernel(fused_descent, module="unique", module_options=OPTIONS), runs_type
