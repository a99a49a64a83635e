"""Forms: their fields, and the certainty that it was one of our own pages that sent them."""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from service.errors import CrossOrigin
from service.routes.dependencies import read_body


def same_origin(request: Request) -> None:
    """Refuse what a page of another site sends in a user's name; programs that are no browser say nothing of a site.

    The edge has compared the Origin header already; pages of a sister site, which it lets pass, send no forms here.
    """
    if request.headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
        raise CrossOrigin("A page of another site asked for this; only this server's own pages may.")


async def form_fields(request: Request) -> dict[str, str]:
    """The fields of a form that was sent; of a field that comes twice, the last."""
    same_origin(request)
    text = (await read_body(request)).decode("utf-8", "replace")
    return dict(parse_qsl(text, keep_blank_values=True))


Fields = Annotated[dict[str, str], Depends(form_fields)]
