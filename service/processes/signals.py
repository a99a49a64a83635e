"""Signals that ask a process to end."""

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

_STATUS_OF_INTERRUPTED = 128 + signal.SIGINT


def on_stop_signals(stop: Callable[[], None], abandon: Callable[[], None] = lambda: None) -> None:
    """Call `stop` on SIGINT and SIGTERM, in place of ending at once; a Ctrl-C after that does end at once.

    Args:
        abandon: called before the process ends at once.
    """
    is_stopping = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal is_stopping
        if is_stopping and number == signal.SIGINT:
            try:
                abandon()
            finally:
                os._exit(_STATUS_OF_INTERRUPTED)
        is_stopping = True
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


@contextmanager
def before_stop_signals(act: Callable[[], None]) -> Generator[None]:
    """While the context lasts, call `act` before whatever else SIGINT and SIGTERM do."""
    if threading.current_thread() is not threading.main_thread():  # as in tests; no other thread may set handlers
        yield
        return
    others = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        act()
        other = others[signal.Signals(number)]
        if callable(other):
            other(number, frame)

    for number in others:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, other in others.items():
            signal.signal(number, other)
