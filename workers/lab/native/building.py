"""Compiling native code with Warp, which keeps it on disk, and calling it.

Warp moves a finished build into its cache by a single rename, so several processes may compile the same kernel at once.
"""

import logging
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import warp as wp

OPTIONS = {"enable_backward": False, "fast_math": False, "fuse_fp": False, "optimization_level": 3}
"""fuse_fp is off because the source itself says where to fuse, the same for every number of lanes and every device."""

_log = logging.getLogger(__name__)

_unwritable: list[str] = []
"""Why no kernel can be compiled in this process, if that is so."""


class CodeUnavailable(Exception):
    """Code is not compiled yet, and its directory cannot be written."""


@contextmanager
def cache_needed() -> Generator[None]:
    """Turn the errors of a cache that cannot be written into CodeUnavailable, now and at every later call."""
    if _unwritable:
        raise CodeUnavailable(_unwritable[0])
    try:
        yield
    except OSError as error:
        _unwritable.append(f"The directory of compiled kernels cannot be written: {error}.")
        raise CodeUnavailable(_unwritable[0]) from error


@lru_cache(maxsize=1)
def start_warp() -> None:
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


def load(kernel: Any) -> None:
    """Compile a kernel for the CPU, or read it from the disk, as a launch there does: for blocks of one."""
    kernel.module.load(wp.get_device("cpu"), block_dim=1)


@lru_cache(maxsize=16)
def compiled(source: str) -> Any:
    """The kernel of a source: the body of a function of `run` (a number) and `call` (an address of 64-bit integers)."""
    start_warp()

    def compute_run(run: Any, call: Any) -> None: ...

    compute_run.__annotations__ = {"run": int, "call": wp.int64}
    compute: Any = wp.func_native(source)(compute_run)

    def native_runs(call: Any) -> None:
        compute(wp.tid(), call)

    native_runs.__annotations__ = {"call": wp.int64}
    return wp.kernel(native_runs, module="unique", module_options=OPTIONS)


@lru_cache(maxsize=16)
def can_be_compiled(source: str) -> bool:
    """Whether a source is compiled for the CPU, now or before; says so in the log where it cannot be."""
    try:
        with cache_needed():
            load(compiled(source))
    except CodeUnavailable as error:
        _log.warning("Native code gives way to torch: %s", error)
        return False
    return True


def bound(source: str, runs: int, call: npt.NDArray[np.int64]) -> Callable[[], None]:
    """A call of compiled code for runs 0, 1, ..., on a CPU, one after the other.

    Args:
        source: see `compiled`; it can be compiled.
        runs: how many there are.
        call: what the code reads, now and when it is called; kept as long as the result is.
    """
    inputs = [wp.int64(call.ctypes.data)]
    command: Any = wp.launch(compiled(source), dim=runs, inputs=inputs, device="cpu", record_cmd=True)
    command.call = call
    return command.launch
