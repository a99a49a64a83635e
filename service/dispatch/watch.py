"""A watch on other dispatchers: for how long each has been silent, by this process's steady clock."""

from collections.abc import Callable, Sequence
from datetime import datetime

from service.store.dispatchers import Lease


class Watch:
    """Measures silence from one beat seen to the next, so that no step of the time of day counts.

    Args:
        patience: seconds of silence after which a dispatcher is gone. After a gap as long between two looks the watch
            begins anew: whatever kept this process from looking may have kept the others from beating.
        clock: steady seconds, unrelated to the time of day.
    """

    def __init__(self, patience: float, clock: Callable[[], float]) -> None:
        self._patience, self._clock = patience, clock
        self._looked_at: float | None = None
        self._seen: dict[int, tuple[datetime, float]] = {}

    def look(self, leases: Sequence[Lease]) -> None:
        """Note the state of the others' leases."""
        now = self._clock()
        if self._looked_at is not None and now - self._looked_at >= self._patience:
            self._seen = {}
        self._looked_at = now
        before, self._seen = self._seen, {}
        for lease in leases:
            beat, since = before.get(lease.id, (None, now))
            self._seen[lease.id] = (lease.heartbeat_at, since if beat == lease.heartbeat_at else now)

    def begin_anew(self) -> None:
        """Forget what was seen: the database was away, and nobody could beat."""
        self._seen = {}

    def is_gone(self, lease: Lease) -> bool:
        """Whether a dispatcher has been silent for too long; its lease was among those of the last look."""
        return self._clock() - self._seen[lease.id][1] >= self._patience
