"""The API's process: uvicorn on a socket that its parent may have bound."""

import socket

import uvicorn

from service.app import create_app
from service.edge.protocol import ProblemProtocol
from service.processes import logs
from service.processes.garbage import spare_collector
from service.processes.signals import on_stop_signals
from service.settings import Settings
from service.use_cases.keys import check_somebody_gets_in

SECONDS_TO_FINISH = 15
"""How long requests in flight may go on after SIGTERM."""


def run_api(settings: Settings, listener: int | None) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        listener: file descriptor of a bound socket; the settings' host and port are bound when it is None.
    """
    logs.configure("api")
    check_somebody_gets_in(settings)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who asks or by which scheme
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
        http=ProblemProtocol,
    )
    spare_collector()
    on_stop_signals(lambda: None)  # uvicorn heeds the signal, then raises it again for whoever was there before
    sockets = None if listener is None else [socket.socket(fileno=listener)]
    uvicorn.Server(config).run(sockets=sockets)
