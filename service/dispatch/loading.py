"""What a worker process loads before its first slice: dask imports this module in every worker as it starts.

The import does it, because dask passes over an error of a preload's `dask_setup`: such a worker would fail every slice.
"""

from service.processes.garbage import loading
from workers import slices

with loading():
    slices.load()
