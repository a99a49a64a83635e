"""Templates to pages: everything escaped, nothing undefined, and headers that forbid whatever a page does not need."""

import re
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup, escape

from service.queries.catalogues import RUNS
from service.values.field_labels import field_label
from service.web import formats, guide, texts
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


def _group_label(name: str) -> Markup:
    """A field that runs are grouped by: tags as they were typed, other fields in words."""
    path = RUNS.find(name).path
    return texts.typed(str(path[-1])) if path[0] == "tags" else escape(_label(name))


def _group_value(value: Any, name: str) -> Markup:
    """What the runs of a group have in a field: texts of people as they were typed, ours in words."""
    is_ours = RUNS.find(name).path[0] in ("spec", "status", "outcome", "engine")
    return texts.typed(value) if isinstance(value, str) and not is_ours else formats.setting(value)


_environment = jinja2.Environment(
    loader=jinja2.PackageLoader("service.web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    finalize=texts.shown_plain,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "number": formats.number,
    "integer": formats.integer,
    "large": formats.large,
    "moment": formats.moment,
    "duration": formats.duration,
    "setting": formats.setting,
    "shown": formats.shown,
    "words": formats.words,
    "label": _label,
    "group_label": _group_label,
    "group_value": _group_value,
    "typed": texts.typed,
    "name": texts.name_of,
    "plain_name": texts.plain_name,
    "lines": texts.lines,
    "exact": texts.exact,
    "exact_lines": texts.exact_lines,
}
_environment.globals.update(asset=assets.address, plotly=PLOTLY_ADDRESS, guide_is_built=lambda: bool(guide.pages()))  # pyright: ignore[reportCallIssue, reportArgumentType]


_ADDRESS = re.compile(r"""(\s(?:href|src|srcset|action|formaction|content|data-[a-z]+)=")/(?!/)""")
"""An attribute that begins like a path. What users write is escaped, so that no quotation mark here is theirs."""


def page(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A page made from a template; the path under which a proxy shows the service is put in front of all addresses."""
    common = {"path": request.url.path, "signed_in": getattr(request.state, "key", None)}
    content = _environment.get_template(template).render(common | context)
    root_path: str = request.app.state.settings.root_path
    shown = _ADDRESS.sub(rf"\1{root_path}/", content) if root_path else content
    return HTMLResponse(shown, status, headers=_HEADERS)
