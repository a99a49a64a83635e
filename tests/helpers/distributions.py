"""The distributions of this checkout."""

import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from setuptools import build_meta as backend; getattr(backend, sys.argv[1])(sys.argv[2])"
PARTS = ("service", "workers", "migrations", "pyproject.toml", "README.md", "LICENSE")
"""What the distributions are made of, as the Dockerfile copies it."""


@dataclass(frozen=True)
class Built:
    """The files of the distributions, and the wheel that comes of the sdist."""

    wheel: Path
    sdist: Path
    wheel_of_sdist: Path


def build(kind: str, source: Path, target: Path) -> Path:
    """Make a wheel or an sdist as pip does, by the backend that pyproject.toml names, without fetching anything."""
    subprocess.run([sys.executable, "-c", BUILD, f"build_{kind}", target], cwd=source, check=True, capture_output=True)
    return max(target.iterdir(), key=lambda path: path.stat().st_mtime)


def copy_sources(target: Path) -> Path:
    """Copy what distributions are made of into a folder."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / part, target / part)
    return target


def build_all(folder: Path) -> Built:
    """Build everything in an empty folder."""
    names = ("source", "unpacked", "wheel", "sdist", "wheel_of_sdist")
    source, unpacked, *targets = (folder / name for name in names)
    for made in (source, unpacked, *targets):
        made.mkdir()
    copy_sources(source)
    wheel, sdist = build("wheel", source, targets[0]), build("sdist", source, targets[1])
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    return Built(wheel, sdist, build("wheel", next(unpacked.iterdir()), targets[2]))
