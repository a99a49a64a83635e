"""The API's process: uvicorn on a socket that its parent may have bound."""

import socket

import uvicorn

from service.app import create_app
from service.edge.deadlines import Patience, most_connections
from service.edge.protocol import protocol
from service.processes import logs
from service.processes.caches import lead_caches
from service.processes.garbage import loading
from service.processes.listening import listen
from service.processes.open_files import raise_open_files
from service.processes.signals import on_stop_signals
from service.settings import Settings
from service.use_cases.keys import check_somebody_gets_in

SECONDS_TO_FINISH = 15
"""How long requests in flight may go on after SIGTERM."""

SECONDS_FOR_PORT = 5.0
"""How long the port may still be held by a server that is going away."""


def run_api(settings: Settings, listener: int | None = None) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        listener: file descriptor of a bound socket; the settings' host and port are bound when it is None.
    """
    logs.configure("api")
    lead_caches(settings.data_dir)
    if settings.keys_required:
        check_somebody_gets_in(settings)
    patience = Patience(settings.head_seconds, settings.body_seconds, settings.body_bytes_per_second)
    with loading():
        app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the edge reads them
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
        http=protocol(patience, most_connections(settings, raise_open_files())),
    )
    on_stop_signals(lambda: None)  # uvicorn heeds the signal, then raises it again for whoever was there before
    with _listening(settings, listener) as bound:
        uvicorn.Server(config).run(sockets=[bound])


def _listening(settings: Settings, listener: int | None) -> socket.socket:
    if listener is None:
        return listen(settings.host, settings.port, SECONDS_FOR_PORT)
    return socket.socket(fileno=listener)
