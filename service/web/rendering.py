"""Templates to pages: everything escaped, nothing undefined, and headers that forbid whatever a page does not need."""

import re
from typing import Any

import jinja2
import orjson
from fastapi import Request
from fastapi.responses import HTMLResponse

from service.values.labels import field_label
from service.web import formats
from service.web.assets import PLOTLY_ADDRESS, assets

_STYLES_OF_PLOTLY = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
    "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='",
)
"""Digests of the style elements that plotly.min.js makes: an empty one that it fills by rules, and one for maps."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' {' '.join(_STYLES_OF_PLOTLY)}",
        "style-src-attr 'unsafe-inline'",  # Plotly sets attributes of its drawing; no text of ours or of users is one
        "img-src 'self' data: blob:",  # data and blob: pictures that Plotly makes of a figure to be saved
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def _label(path: str) -> str:
    return field_label(path.removeprefix("summary."))


_environment = jinja2.Environment(
    loader=jinja2.PackageLoader("service.web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "number": formats.number,
    "integer": formats.integer,
    "large": formats.large,
    "moment": formats.moment,
    "setting": formats.setting,
    "shown": formats.shown,
    "words": formats.words,
    "label": _label,
    "json": lambda value: orjson.dumps(value).decode(),
}
_environment.globals.update(asset=assets.address, plotly=PLOTLY_ADDRESS)  # pyright: ignore[reportCallIssue, reportArgumentType]


_ADDRESS = re.compile(r"""(\s(?:href|src|action|formaction|content|data-[a-z]+)=")/(?!/)""")
"""An attribute that begins like a path. What users write is escaped, so that no quotation mark here is theirs."""


def page(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A page made from a template; the path under which a proxy shows the service is put in front of all addresses."""
    own = {"path": request.url.path, "signed_in": getattr(request.state, "key", None)}
    content = _environment.get_template(template).render(own | context)
    root_path: str = request.app.state.settings.root_path
    shown = _ADDRESS.sub(rf"\1{root_path}/", content) if root_path else content
    return HTMLResponse(shown, status, headers=_HEADERS)
