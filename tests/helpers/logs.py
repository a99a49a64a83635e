"""What libraries say by `logging`."""

import logging
from collections.abc import Generator
from contextlib import contextmanager


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))


@contextmanager
def said() -> Generator[list[str]]:
    """All that comes to the root's handlers meanwhile, with tracebacks."""
    kept, root = _Kept(), logging.getLogger()
    root.addHandler(kept)
    try:
        yield kept.said
    finally:
        root.removeHandler(kept)
