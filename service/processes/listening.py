"""The socket that a server listens on."""

import errno
import os
import socket
import time

import structlog

from service.errors import RankwardError
from service.values.addresses import url_host

_BACKLOG = 2048

_log = structlog.get_logger(__name__)


class CannotServe(RankwardError):
    """The service cannot run"""


def listen(host: str, port: int, patience_seconds: float) -> socket.socket:
    """A listening socket on an address of IPv4 or IPv6; on `::` of both.

    Args:
        patience_seconds: how long the port may still be held by a server that is going away.

    Raises:
        CannotServe: the address is none of this machine's, or the port is taken.
    """
    deadline, is_first = time.monotonic() + patience_seconds, True
    while True:
        try:
            return _bound(host, port)
        except OSError as error:
            address = f"{url_host(host)}:{port}"
            if time.monotonic() >= deadline or error.errno != errno.EADDRINUSE:
                raise CannotServe(f"Cannot listen on {address} ({_reason(error)}); {_advice(error)}.") from None
            if is_first:
                _log.warning("the port is taken; waiting until it is free", address=address, seconds=patience_seconds)
            is_first = False
            time.sleep(0.1)


def _bound(host: str, port: int) -> socket.socket:
    family, address = _resolved(host, port)
    both = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=both)


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Of a name with several addresses one of IPv4, which every client tries."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(answers, key=lambda answer: answer[0] != socket.AF_INET)
    return family, (str(address[0]), port)


def _reason(error: OSError) -> str | None:
    """Without the address, which the socket's message repeats."""
    return error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or errno.EINVAL)


def _advice(error: OSError) -> str:
    is_of_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
    return "take another --port" if is_of_port else "give another --host"
