"""Placement: how many worker processes a machine gets, and which GPU each of them sees."""

import os
import shutil
import subprocess
from collections.abc import Mapping

SECONDS_FOR_DRIVER = 20


def places(workers: int | None) -> list[Mapping[str, str]]:
    """Environment variables of each worker process of this machine.

    Args:
        workers: how many; one per GPU when None, or one per core where there is no GPU.
    """
    gpus = visible_gpus()
    count = workers or len(gpus) or len(os.sched_getaffinity(0))
    return [{"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if gpus else {} for index in range(count)]


def visible_gpus() -> list[str]:
    """GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; the driver is asked where it is not set."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        names = [name.strip() for name in given.split(",")]
        return [name for name in names if name and name != "-1"]
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=SECONDS_FOR_DRIVER, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return said.split()
