"""Logs: one line an event on standard error, readable on a terminal and JSON elsewhere."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict


def configure(role: str) -> None:
    """Set up logging of this process, that of libraries included.

    Args:
        role: which part of the service this process is; on every line.
    """

    def add_role(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["role"] = role  # not by a context variable, which other threads would not have
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        add_role,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    handler = logging.StreamHandler(sys.stderr)
    without_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared], processors=[without_meta, renderer]
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    take_over_libraries()


def take_over_libraries() -> None:
    """Undo what libraries set up for themselves (dask does, at its import): their lines look like all others.

    Only warnings are shown of them; to be called again after a library was imported.
    """
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
