"""The heart: a thread that renews a dispatcher's lease while the loop stores, or the workers start."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

import structlog

from service.dispatch.membership import Membership
from service.store.database import DATABASE_AWAY
from service.store.dispatchers import Deposed

_log = structlog.get_logger(__name__)


@contextmanager
def beating(membership: Membership) -> Generator[None]:
    """Beat in a separate thread until the context ends or the lease is lost; then give it back."""
    over = threading.Event()
    heart = threading.Thread(target=_beat_until, args=(membership, over), name="heart", daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
        try:
            membership.leave()
        except DATABASE_AWAY:
            _log.warning("the lease could not be given back; the others wait until it has expired")


def _beat_until(membership: Membership, over: threading.Event) -> None:
    while not over.is_set():
        try:
            membership.beat()
        except Deposed:
            return
        except DATABASE_AWAY:
            pass
        over.wait(membership.seconds_between_looks)
