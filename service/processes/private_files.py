"""Private files: what the service keeps is for the user who runs it alone, since an API key asks nobody on the disk."""

import os
import stat
from pathlib import Path

import structlog

_OF_SERVICE = ("*.lock", "cache", "workers")
"""What stands in a data directory beside the database."""

_log = structlog.get_logger(__name__)


def make_private(data_dir: Path, database: Path | None) -> None:
    """Make the data directory and the database file if they are missing; withdraw the permissions of others.

    A directory that also holds files of others keeps its permissions, and the files of the service in it lose them.
    What belongs to another user is left as it is.

    Args:
        database: the file of the database, None for a server. SQLite gives the files beside it the same permissions.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if database is not None and database.parent.is_dir():
        database.touch(mode=0o600)
    beside = [] if database is None else list(database.parent.glob(f"{_literal(database.name)}*"))
    for file in (*beside, *data_dir.glob("*.lock")):
        _restrict(file, 0o600)
    of_service = {*beside, *(path for pattern in _OF_SERVICE for path in data_dir.glob(pattern))}
    if {path.name for path in data_dir.iterdir()} <= {path.name for path in of_service}:
        _restrict(data_dir, 0o700)
    elif _is_open(data_dir):
        _log.info("the data directory holds other files, too, and keeps its permissions", directory=str(data_dir))


def _restrict(path: Path, mode: int) -> None:
    try:
        if path.stat().st_uid == os.geteuid() and _is_open(path):
            path.chmod(mode)
    except OSError as error:
        _log.warning("others may read what is private", path=str(path), error=error.strerror)


def _is_open(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO))


def _literal(name: str) -> str:
    """A file's name as a pattern that stands for nothing else."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)
