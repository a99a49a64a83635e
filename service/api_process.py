"""The API's process: uvicorn on a socket that its parent may have bound."""

import socket

import uvicorn

from service import logs
from service.app import create_app
from service.settings import Settings

MOST_BYTES_OF_A_HEAD = 4 * 2**20
"""A path and headers up to this size reach the application, whose refusals say what is too long."""


def run_api(settings: Settings, listener: int | None) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        listener: file descriptor of a bound socket; the settings' host and port are bound when it is None.
    """
    logs.configure("api")
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        timeout_graceful_shutdown=5,
        http="h11",  # the other parsers end a long path with a bare 400
        h11_max_incomplete_event_size=MOST_BYTES_OF_A_HEAD,
    )
    sockets = None if listener is None else [socket.socket(fileno=listener)]
    uvicorn.Server(config).run(sockets=sockets)
