"""Logs: one line an event on standard error, readable on a terminal and JSON elsewhere."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict

from service.values.visible import visible, visible_lines

_TRACEBACKS = ("exception", "stack")


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
    rendering = renderers(is_terminal=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, *rendering],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_library_handler(shared, rendering)], force=True)
    take_over_libraries()


def _library_handler(shared: list[Any], rendering: list[Any]) -> logging.Handler:
    """What writes the lines of libraries, which use the standard library's logging."""
    without_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared], processors=[without_meta, *rendering]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    return handler


def renderers(is_terminal: bool) -> list[Any]:
    """What makes a line of an event: one for people, or JSON, which escapes whatever could end or hide a line."""
    if is_terminal:
        return [_show_texts, structlog.dev.ConsoleRenderer()]
    return [structlog.processors.JSONRenderer()]


def _show_texts(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Escape what a terminal would obey in all that is said, names of users included; tracebacks keep their lines."""
    return {name: _shown(name, value) for name, value in event.items()}


def _shown(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    return visible_lines(text) if name in _TRACEBACKS else visible(text)


def take_over_libraries() -> None:
    """Undo what libraries set up for themselves (dask does, at its import): their lines look like all others.

    Only warnings are shown of them; to be called again after a library was imported.
    """
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    logging.getLogger("distributed.nanny").addFilter(_is_no_ordinary_end)


def _is_no_ordinary_end(record: logging.LogRecord) -> bool:
    """Whether a line of a worker's nanny is worth a warning: a process killed at the end had stored all it had."""
    return "still alive after" not in record.getMessage()
