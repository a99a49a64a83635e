"""Orphans: a child of `rankward serve` ends when its parent does, however the parent ended."""

import os
import signal
import threading


def end_with_parent(lifeline: int) -> None:
    """Send this process SIGTERM once the parent's end of a pipe is closed.

    Args:
        lifeline: file descriptor of the reading end; the parent holds the writing end and never writes.
    """

    def watch() -> None:
        os.read(lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
