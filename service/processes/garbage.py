"""The garbage collector of the long-lived processes."""

import gc
from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock


def spare_collector() -> None:
    """Call where all is imported: nothing that lives by then is looked at again.

    Imported modules hold some hundred thousand objects. A full collection walks them for 0.1 s and more, again and
    again, while every thread stands still and requests or other writers wait.
    """
    gc.collect()
    gc.freeze()


class _Pauses:
    """How many threads have the collector paused."""

    def __init__(self) -> None:
        self.guard, self.count = Lock(), 0


_pauses = _Pauses()


@contextmanager
def collector_paused() -> Generator[None]:
    """No collections meanwhile, for the making of many objects that all live on.

    Each full collection goes through all objects made so far, which triples the time in which JSON of 14 MB is read. No
    other thread of the process runs during a collection.
    """
    with _pauses.guard:
        _pauses.count += 1
        gc.disable()
    try:
        yield
    finally:
        with _pauses.guard:
            _pauses.count -= 1
            if not _pauses.count:
                gc.enable()
