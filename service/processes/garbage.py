"""The garbage collector of the long-lived processes."""

import gc
from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock


class _Pauses:
    """How many threads have the collector paused, and whether it worked before the first of them."""

    def __init__(self) -> None:
        self.guard, self.count, self.worked = Lock(), 0, True


_pauses = _Pauses()


@contextmanager
def collector_paused() -> Generator[None]:
    """No collections meanwhile, for the making of many objects that all live on.

    Each full collection goes through all objects made so far, which triples the time in which JSON of 14 MB is read. No
    other thread of the process runs during a collection.
    """
    with _pauses.guard:
        if not _pauses.count:
            _pauses.worked = gc.isenabled()
        _pauses.count += 1
        gc.disable()
    try:
        yield
    finally:
        with _pauses.guard:
            _pauses.count -= 1
            if not _pauses.count and _pauses.worked:
                gc.enable()


@contextmanager
def loading() -> Generator[None]:
    """For imports and what else is made once: no collections meanwhile, and none looks at it ever again.

    Imported modules hold some hundred thousand objects. Collections on the way are a fifth of the time that imports
    take. Later each full collection would walk them for 0.1 s and more, again and again, while every thread stands
    still and requests or other writers wait.
    """
    gc.collect()  # before the first imports it takes little, and what is garbage by now would stay for ever
    with collector_paused():
        yield
        gc.freeze()
