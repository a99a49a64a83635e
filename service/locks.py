"""Locks in the data directory: held by the operating system, so that they go with the process that held them."""

from pathlib import Path

from filelock import FileLock, Timeout

from service.errors import RankwardError


class AlreadyRunning(RankwardError):
    """Another process has this data directory"""


def hold(data_dir: Path, role: str, patience_seconds: float) -> FileLock:
    """Take the lock of a role, to be held until the process ends.

    Raises:
        AlreadyRunning: another process still has it after `patience_seconds`.
    """
    lock = FileLock(data_dir / f"{role}.lock")
    try:
        lock.acquire(timeout=patience_seconds)
    except Timeout:
        raise AlreadyRunning(
            f"Another `rankward {role}` is running on {data_dir}; stop it, or take another --data-dir."
        ) from None
    return lock
