"""/guide: the documentation as `make docs` builds it; its scripts run, and nothing asks any other server."""

import base64
import hashlib
import mimetypes
import re
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from service.errors import NotFound

router = APIRouter(prefix="/guide", include_in_schema=False)

FOLDER = Path(__file__).parent / "built_guide"
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_POLICY = (
    "default-src 'none'; script-src 'self' {digests}; worker-src 'self'; style-src 'self'; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


@cache
def pages() -> dict[str, Path]:
    """Every file of the guide by its address below /guide/; none where it is not built."""
    return {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*") if path.is_file()}


@router.get("")
def entrance(request: Request) -> Response:
    """To the first page, below which the guide's own links lead."""
    return RedirectResponse(f"{request.app.state.settings.root_path}/guide/index.html")


@router.get("/{name:path}")
def guide(name: str) -> Response:
    """A page, or a file that it needs."""
    path = pages().get(name or "index.html")
    if path is None and not pages():
        raise NotFound("The guide is not built here; `make docs` builds it, and the README says the same.")
    if path is None:
        raise NotFound(f"The guide has no page {name!r}; it begins at /guide/index.html.")
    content, media_type = path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=300"}
    if media_type == "text/html":
        headers["Content-Security-Policy"] = _POLICY.format(digests=" ".join(_digests(content.decode())))
    return Response(content, headers=headers, media_type=media_type)


def _digests(page: str) -> list[str]:
    """What allows exactly the scripts that stand in a page."""
    texts = dict.fromkeys(_INLINE.findall(page))
    return [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts]
