"""Request rates: how many requests each API key has left, in this process."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from cachetools import LRUCache

WINDOW_SECONDS = 60
MOST_KEYS = 10_000
"""Keys remembered at once; one that is forgotten starts with a full bucket."""


@dataclass(frozen=True)
class Rate:
    """What is left of a key's requests.

    Attributes:
        allowed: whether this request is one of them.
        quota: requests in a window.
        remaining: requests that could follow at once.
        reset: seconds until the quota is whole again, or, where the request is refused, until the next is allowed.
    """

    allowed: bool
    quota: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """RateLimit fields as in draft-ietf-httpapi-ratelimit-headers-10."""
        return {
            "RateLimit-Policy": f'"requests";q={self.quota};w={WINDOW_SECONDS}',
            "RateLimit": f'"requests";r={self.remaining};t={self.reset}',
        }


@dataclass
class Rates:
    """A bucket for each key, filled evenly up to its quota: bursts of one window's requests, the quota on average."""

    clock: Callable[[], float] = time.monotonic
    _buckets: "LRUCache[int, tuple[float, float]]" = field(default_factory=lambda: LRUCache(MOST_KEYS))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key_id: int, quota: int) -> Rate:
        """Count one request of a key."""
        per_second = quota / WINDOW_SECONDS
        with self._lock:
            now = self.clock()
            tokens, since = self._buckets.get(key_id, (float(quota), now))
            tokens = min(float(quota), tokens + (now - since) * per_second)
            allowed = tokens >= 1
            tokens -= allowed
            self._buckets[key_id] = (tokens, now)
        missing = quota - tokens if allowed else 1 - tokens
        return Rate(allowed, quota, int(tokens), max(1, ceil(missing / per_second)))
