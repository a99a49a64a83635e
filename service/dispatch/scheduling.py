"""The scheduler of dask's cluster, without what it would keep of every slice for as long as it lives."""

from typing import Any

from distributed.scheduler import DEFAULT_EXTENSIONS


class NoSpans:
    """Stands where dask keeps spans: its measurements of each submission, of which none is ever let go."""

    def __init__(self, scheduler: Any) -> None: ...

    def observe_tasks(self, *_tasks: Any, **_details: Any) -> dict[Any, Any]:
        """Take no notice of tasks; no annotation changes."""
        return {}

    def heartbeat(self, _worker: Any, _measured: Any) -> None:
        """Take no notice of what a worker measured."""


_EXTENSIONS = {name: kind for name, kind in DEFAULT_EXTENSIONS.items() if name != "stealing"}

SCHEDULER: dict[str, Any] = {"extensions": {**_EXTENSIONS, "spans": NoSpans}}
"""Options of a scheduler, which moves no slice from worker to worker."""
