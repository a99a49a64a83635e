"""The socket that a server listens on."""

import socket
import time

from service.errors import RankwardError
from service.values.addresses import url_host

_BACKLOG = 2048


class CannotServe(RankwardError):
    """The service cannot run"""


def listen(host: str, port: int, patience_seconds: float) -> socket.socket:
    """A listening socket on an address of IPv4 or IPv6; on `::` of both.

    Args:
        patience_seconds: how long the port may still be held by a server that is going away.

    Raises:
        CannotServe: the address is none of this machine's, or the port is taken.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            family, address = _resolved(host, port)
            both = host == "::" and socket.has_dualstack_ipv6()
            return socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=both)
        except OSError as error:
            if time.monotonic() > deadline or isinstance(error, socket.gaierror):
                address = f"{url_host(host)}:{port}"
                raise CannotServe(f"Cannot listen on {address} ({error.strerror}); {_advice(error)}.") from None
            time.sleep(0.1)


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Of a name with several addresses one of IPv4, which every client tries."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(answers, key=lambda answer: answer[0] != socket.AF_INET)
    return family, (str(address[0]), port)


def _advice(error: OSError) -> str:
    return "give another --host" if isinstance(error, socket.gaierror) else "take another --port"
