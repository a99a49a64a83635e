"""The guide, built as `make docs` builds it, and shown by the service from there."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from service.web import guide

ROOT = Path(__file__).parents[2]


def build_guide(folder: Path) -> None:
    """Build the guide into a folder; a broken link is an error."""
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)


@contextmanager
def guide_from(folder: Path) -> Generator[None]:
    """Have the service of this process show what stands in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guide, "FOLDER", folder)
        guide.pages.cache_clear()
        yield
    guide.pages.cache_clear()
