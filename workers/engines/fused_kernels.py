"""Kernels of the fused engine: compiled once per program and device, kept on disk by Warp.

Each kernel is a module of its own, so that compiling one shape never compiles another. Warp moves a finished build into
its cache with one rename, so that processes may compile the same kernel at once.
"""

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import warp as wp

from workers.engines.fused_source import Program, source

OPTIONS = {"enable_backward": False, "fast_math": False, "fuse_fp": False, "optimization_level": 3}
"""fuse_fp off: the source says itself where a multiply-add is, the same for every number of lanes and every device."""

ARGUMENTS = (
    "states targets weights rates betas status taken_steps last_steps limits losses "
    "reached milestones thresholds due due_end due_steps due_losses due_factors"
).split()


def launch(program: Program, device: str, blocks: int, steps: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Take at most `steps` steps with `blocks` blocks of runs, in place.

    Args:
        program: what is computed.
        device: name of a Warp device.
        blocks: groups of `program.lanes` runs.
        steps: steps of each run, at least 1.
        arrays: by the names of ARGUMENTS, contiguous; see `workers.engines.fused`.
    """
    _start()
    shared = [wp.array(arrays[name].reshape(-1), device=device, copy=False) for name in ARGUMENTS]
    wp.launch(_kernel(program), dim=blocks, inputs=[steps, *shared], device=device)
    if wp.get_device(device).is_cuda:
        for name, array in zip(ARGUMENTS, shared, strict=True):
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
def _kernel(program: Program) -> Any:
    number: Any = wp.float64 if program.precision == "float64" else wp.float32
    return _build(source(program), wp.array(dtype=number), wp.array(dtype=wp.int64), wp.array(dtype=wp.int32))


def _build(snippet: str, Numbers: Any, Counts: Any, Codes: Any) -> Any:
    native: Callable[[str], Any] = wp.func_native

    @native(snippet)
    def advance_block(
        block: int,
        steps: wp.int64,
        states: Numbers,
        targets: Numbers,
        weights: Numbers,
        rates: Numbers,
        betas: Numbers,
        status: Codes,
        taken_steps: Counts,
        last_steps: Counts,
        limits: Numbers,
        losses: Numbers,
        reached: Codes,
        milestones: Counts,
        thresholds: Numbers,
        due: Counts,
        due_end: Counts,
        due_steps: Counts,
        due_losses: Numbers,
        due_factors: Numbers,
    ): ...

    @wp.kernel(module="unique", module_options=OPTIONS)
    def fused_descent(
        steps: wp.int64,
        states: Numbers,
        targets: Numbers,
        weights: Numbers,
        rates: Numbers,
        betas: Numbers,
        status: Codes,
        taken_steps: Counts,
        last_steps: Counts,
        limits: Numbers,
        losses: Numbers,
        reached: Codes,
        milestones: Counts,
        thresholds: Numbers,
        due: Counts,
        due_end: Counts,
        due_steps: Counts,
        due_losses: Numbers,
        due_factors: Numbers,
    ):
        advance_block(
            wp.tid(),
            steps,
            states,
            targets,
            weights,
            rates,
            betas,
            status,
            taken_steps,
            last_steps,
            limits,
            losses,
            reached,
            milestones,
            thresholds,
            due,
            due_end,
            due_steps,
            due_losses,
            due_factors,
        )

    return fused_descent
