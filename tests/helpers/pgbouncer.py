"""PgBouncer in transaction mode before a server of the tests, where the machine has it (Debian's `pgbouncer`)."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

SESSIONS = 2
"""Sessions of the server that all clients share."""

_SECONDS_TO_START = 20.0


def is_installed() -> bool:
    """Whether this machine has it."""
    return _binary() is not None


@contextmanager
def pgbouncer(server_url: str) -> Generator[str]:
    """The URL of a database behind a PgBouncer, which ends with the context.

    Args:
        server_url: of the same database without it.
    """
    url = sa.make_url(server_url)
    with tempfile.TemporaryDirectory(prefix="rankward-pgbouncer-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        Path(folder).chmod(0o755)
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(
            f"[databases]\n* = host={url.host} port={url.port} user={url.username}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = transaction\ndefault_pool_size = {SESSIONS}\nmax_client_conn = 100\n"
        )
        file.chmod(0o644)
        process = subprocess.Popen([str(_binary()), "-q", str(file)], stderr=subprocess.DEVNULL, **_unprivileged())
        try:
            _wait(port)
            yield f"postgresql://postgres@127.0.0.1:{port}/{url.database}"
        finally:
            process.terminate()
            process.wait(20)


def _binary() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _unprivileged() -> dict[str, Any]:
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "cwd": "/"}


def _wait(port: int) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("PgBouncer does not listen")
