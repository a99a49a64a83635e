"""Health checks of containers: `python -m service.processes.health ADDRESS` ends with 0 where what is there is well.

An address is that of a page of the API or the dispatcher (http://...), of a scheduler (tls://host:port, with the
certificates of RANKWARD_TLS_CA, _CERT and _KEY), or the file that workers renew (file:///data/alive). Only the standard
library is loaded, for checks come every few seconds.
"""

import os
import socket
import ssl
import sys
import time
import urllib.request
from urllib.parse import SplitResult, urlsplit

SECONDS = 3.0
MOST_SECONDS_OF_SILENCE = 30.0
"""Age at which the workers' file says that they do not work: they renew it every 5 s."""


def check(address: str) -> None:
    """Raise OSError unless what is at an address is well."""
    target = urlsplit(address)
    match target.scheme:
        case "http":
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            direct.open(address, timeout=SECONDS).close()
        case "tls":
            _shake_hands(target)
        case "file":
            age = time.time() - os.stat(target.path).st_mtime
            if age > MOST_SECONDS_OF_SILENCE:
                raise OSError(f"the workers have been silent for {age:.0f} s")
        case _:
            raise OSError(f"{address!r} begins with none of http://, tls:// and file://")


def _shake_hands(target: SplitResult) -> None:
    """Wait for a scheduler's first byte: a handshake that breaks off is a warning in its log."""
    tls = ssl.create_default_context(cafile=os.environ["RANKWARD_TLS_CA"])
    tls.check_hostname = False  # the certificate names the host by which others know it
    tls.load_cert_chain(os.environ["RANKWARD_TLS_CERT"], os.environ["RANKWARD_TLS_KEY"])
    plain = socket.create_connection((target.hostname or "", target.port or 0), SECONDS)
    with tls.wrap_socket(plain) as connection:
        if not connection.recv(1):
            raise OSError("the scheduler closed the connection")


if __name__ == "__main__":
    try:
        check(sys.argv[1])
    except OSError as error:
        sys.exit(f"not well: {error}")
