"""The API on a real socket, served by a thread of this process."""

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn

from service.app import create_app
from service.edge.deadlines import Patience
from service.edge.protocol import protocol
from service.processes.listening import listen
from service.settings import Settings

PATIENT = Patience()


@contextmanager
def serving(
    settings: Settings, patience: Patience = PATIENT, most_connections: int = 1000, seconds_to_finish: int = 5
) -> Generator[tuple[str, int]]:
    """Address and port of the API, which ends with the context as on SIGTERM."""
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=seconds_to_finish,
        http=protocol(patience, most_connections),
    )
    with listen(settings.host, 0, 0.0) as bound:
        address = bound.getsockname()[:2]
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


def received(connection: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))
