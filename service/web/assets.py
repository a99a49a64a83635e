"""Static files, under addresses that change with their content, so that browsers may keep them for good."""

import gzip
import hashlib
from functools import cache, cached_property
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Response

from service.errors import NotFound

router = APIRouter(prefix="/static", include_in_schema=False)

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}
_FOLDERS = (("service.web", "static"), ("service.presets", "pictures"))
_FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


class Assets:
    """The files of `_FOLDERS`, read once; `digest` stands for all of them and is part of their addresses."""

    @cached_property
    def contents(self) -> dict[str, bytes]:
        """Every file by its name."""
        folders = [files(package).joinpath(folder) for package, folder in _FOLDERS]
        return {path.name: path.read_bytes() for folder in folders for path in folder.iterdir() if _is(path)}

    @cached_property
    def digest(self) -> str:
        """Changes whenever any file does."""
        return hashlib.sha256(repr(sorted(self.contents.items())).encode()).hexdigest()[:12]

    def address(self, name: str) -> str:
        """Where a file is served."""
        return f"/static/{self.digest}/{name}"


assets = Assets()
PLOTLY_ADDRESS = f"/static/plotly-{version('plotly')}.min.js"


@router.get(PLOTLY_ADDRESS.removeprefix("/static"))
def plotly(accept_encoding: Annotated[str, Header()] = "") -> Response:
    """Plotly as the installed package has it; without importing the package, which would take seconds."""
    headers = _FOR_GOOD | {"Vary": "Accept-Encoding"}
    if "gzip" in accept_encoding:
        return Response(
            _zipped_plotly(), headers=headers | {"Content-Encoding": "gzip"}, media_type=_MEDIA_TYPES[".js"]
        )
    return Response(_plotly().read_bytes(), headers=headers, media_type=_MEDIA_TYPES[".js"])


@router.get("/{digest}/{name}")
def asset(digest: str, name: str) -> Response:
    """A file; of an older version of the service, the newest there is, to be asked for again."""
    content = assets.contents.get(name)
    if content is None:
        raise NotFound(f"There is no file {name!r}.")
    headers = _FOR_GOOD if digest == assets.digest else {"Cache-Control": "no-store"}
    return Response(content, headers=headers, media_type=_MEDIA_TYPES[Path(name).suffix])


def _is(path: Traversable) -> bool:
    return Path(path.name).suffix in _MEDIA_TYPES


def _plotly() -> Path:
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


@cache
def _zipped_plotly() -> bytes:
    return gzip.compress(_plotly().read_bytes(), 6, mtime=0)
