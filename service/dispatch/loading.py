"""What a worker process loads before its first slice.

dask imports this module in every worker and calls `dask_setup`.
"""

from typing import Any

from service.processes.garbage import loading
from workers import slices


def dask_setup(worker: Any) -> None:
    """Called by dask before a worker says that it is there."""
    with loading():
        slices.load()
