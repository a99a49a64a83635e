"""Locks in the data directory: held by the operating system, so that they go with the process that held them."""

from pathlib import Path

import structlog
from filelock import FileLock, Timeout

from service.errors import RankwardError

_log = structlog.get_logger(__name__)


class AlreadyRunning(RankwardError):
    """Another process has this data directory"""


class NotWritable(RankwardError):
    """The data directory cannot be written"""


def hold(data_dir: Path, role: str, patience_seconds: float) -> FileLock:
    """Take the lock of a role, to be held until the process ends; makes the data directory if there is none.

    Raises:
        NotWritable: the data directory cannot be made or written.
        AlreadyRunning: another process still has it after `patience_seconds`.
    """
    lock = FileLock(data_dir / f"{role}.lock", mode=0o600)
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _acquire(lock, data_dir, patience_seconds)
    except Timeout:
        raise AlreadyRunning(
            f"Another `rankward {role}` is running on {data_dir}; stop it, or take another --data-dir."
        ) from None
    except OSError as error:
        raise NotWritable(
            f"Nothing can be written to {data_dir} ({error.strerror}); make it writable, or take another --data-dir."
        ) from None
    return lock


def _acquire(lock: FileLock, data_dir: Path, patience_seconds: float) -> None:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not patience_seconds:
            raise
        directory = str(data_dir)
        _log.warning("the data directory is taken; waiting for it", data_dir=directory, seconds=patience_seconds)
        lock.acquire(timeout=patience_seconds)
