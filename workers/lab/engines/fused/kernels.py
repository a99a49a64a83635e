"""Kernels of the fused engine: compiled once per program and device, and kept on disk by Warp.

Each kernel is a separate Warp module, so that compiling one shape never compiles another.
"""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import warp as wp

from workers.lab.engines.descents import EngineUnavailable
from workers.lab.engines.fused import sharing
from workers.lab.engines.fused.program import Program
from workers.lab.engines.fused.source import source
from workers.lab.native.building import OPTIONS, CodeUnavailable, cache_needed, load, start_warp

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
    "measurements",
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
    "measurement_begins",
    "desk",
)
INT32_ARRAYS = ("status", "reached")
"""Arrays of a launch by type; floats have the run's precision."""


def launch(
    program: Program, device: str, blocks: int, steps: int, arrays: Mapping[str, npt.NDArray[Any]], cores: int = 1
) -> None:
    """Take at most `steps` steps with `blocks` blocks of runs, in place.

    Args:
        program: the program of the batch.
        device: name of a Warp device.
        blocks: how many groups of `program.lanes` runs there are.
        steps: the most steps of each run, at least 1.
        arrays: contiguous, by the names in FLOAT_ARRAYS, INT64_ARRAYS and INT32_ARRAYS; see
            `workers.lab.engines.fused.launches`.
        cores: that share the products of a program that is shared.

    Raises:
        EngineUnavailable: the kernel is not compiled yet, and its directory cannot be written.
    """
    try:
        with cache_needed():
            _launch(program, device, blocks, steps, arrays, cores)
    except CodeUnavailable as error:
        raise EngineUnavailable(str(error)) from error


def prepare(program: Program, device: str) -> None:
    """Compile a kernel for the CPU, or read it from the disk, before a launch is timed; raises as `launch` does."""
    try:
        with cache_needed():
            if device == "cpu":
                load(kernel_of(program)[0])
    except CodeUnavailable as error:
        raise EngineUnavailable(str(error)) from error


def _launch(
    program: Program, device: str, blocks: int, steps: int, arrays: Mapping[str, npt.NDArray[Any]], cores: int
) -> None:
    kernel, runs_type = kernel_of(program)
    runs = runs_type()
    shared = {name: wp.array(arrays[name].reshape(-1), device=device, copy=False) for name in runs_type.vars}
    for name, array in shared.items():
        setattr(runs, name, array)
    with _helpers(kernel, runs, arrays["desk"], cores - 1 if program.is_shared else 0):
        wp.launch(kernel, dim=blocks, inputs=[steps, runs], device=device)
    if wp.get_device(device).is_cuda:
        for name, array in shared.items():
            arrays[name].reshape(-1)[...] = array.numpy()


@contextmanager
def _helpers(kernel: Any, runs: Any, desk: npt.NDArray[np.int64], count: int) -> Generator[None]:
    """Threads that help a launch on a CPU, to its end."""
    if not count:
        yield
        return
    helping = partial(wp.launch, kernel, dim=1, inputs=[-1, runs], device="cpu")
    threads = [threading.Thread(target=helping, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        sharing.end(desk)
        for thread in threads:
            thread.join()


@lru_cache(maxsize=256)
def kernel_of(program: Program) -> tuple[Any, Any]:
    """The kernel of a program, compiled at its first launch on a device, and the struct of arrays that it takes."""
    start_warp()
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
