"""Caches of libraries: where the home directory cannot be written, they are led to another one.

Warp keeps compiled kernels, matplotlib its list of fonts, CUDA what its driver compiles. Without a directory Warp
computes nothing, and the others do their work again in every process.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)


def lead_caches(data_dir: Path) -> None:
    """Set the variables by which libraries find their caches, for this process and those it starts.

    A variable is set only if the directory that its library would use cannot be written.

    Args:
        data_dir: holds the caches if it can be written; a temporary directory does otherwise.
    """
    instead = _Instead(data_dir)
    _lead_temporary_files(instead)
    for library, variable, usual in _usual_caches():
        if all(map(can_be_written, usual)):
            continue
        if instead.directory is None:
            _log.warning("no directory for a cache can be written", library=library, usual=str(usual[0]))
            continue
        directory = instead.directory / library
        os.environ[variable] = str(directory)
        _log.warning(
            "a cache is elsewhere: its usual directory cannot be written",
            library=library,
            usual=str(usual[0]),
            directory=str(directory),
        )


def can_be_written(directory: Path) -> bool:
    """Whether files can be made in a directory, or the directory itself if it is not there."""
    if not directory.is_absolute():  # below a home that is not known
        return False
    try:
        there = next(path for path in (directory, *directory.parents) if path.exists())
        with tempfile.TemporaryDirectory(dir=there, prefix=".rankward-"):  # permissions alone do not say it
            return True
    except OSError:
        return False


@dataclass
class _Instead:
    data_dir: Path

    @cached_property
    def directory(self) -> Path | None:
        """The directory of all caches that are led elsewhere; None where none can be written."""
        try:
            return private_directory(self.data_dir, "cache")
        except OSError:
            return None


def private_directory(data_dir: Path | None, name: str) -> Path:
    """A directory of this name in the data directory, else a temporary one; nobody else can write to it.

    Raises:
        OSError: neither can be written.
    """
    directory = None if data_dir is None else (data_dir / name).absolute()
    if directory is not None and directory.parent.is_dir() and can_be_written(directory):
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.stat().st_uid == os.geteuid():
            directory.chmod(0o700)
            return directory
    made = tempfile.mkdtemp(prefix="rankward-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def _lead_temporary_files(instead: "_Instead") -> None:
    """Certificates in memory pass through temporary files, which need a directory, too."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        if instead.directory is not None:
            os.environ["TMPDIR"] = str(instead.directory)


def _usual_caches() -> Iterator[tuple[str, str, list[Path]]]:
    """Libraries, the variables that lead them, and the directories they use, of which all must be writable."""
    home = Path(os.path.expanduser("~"))
    caches = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    for library, variable, usual in (
        ("warp", "WARP_CACHE_PATH", [caches / "warp" / version("warp-lang")]),
        ("matplotlib", "MPLCONFIGDIR", [caches / "matplotlib", settings / "matplotlib"]),
        ("cuda", "CUDA_CACHE_PATH", [home / ".nv" / "ComputeCache"]),
    ):
        yield library, variable, [Path(os.environ[variable])] if os.environ.get(variable) else usual
