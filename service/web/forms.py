"""Forms: their fields, and the certainty that it was one of our own pages that sent them."""

from typing import Annotated
from urllib.parse import parse_qsl

from anyio import to_thread
from fastapi import Depends, Request

from service.errors import CrossOrigin, MalformedRequest, PayloadTooLarge
from service.routes.dependencies import read_body
from service.web.spec_text import MOST_CHARACTERS

MOST_BYTES = 16 * MOST_CHARACTERS
"""Largest form. A character of its text takes at most 12 bytes, as %F0%9F%98%80; the other fields are short."""

MOST_FIELDS = 20
"""Most fields of a form; none here has more than 5."""


def same_origin(request: Request) -> None:
    """Refuse what a page of another site sends in a user's name; programs that are no browser say nothing of a site.

    The edge has compared the Origin header already; pages of a sister site, which it lets pass, send no forms here.
    """
    if request.headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
        raise CrossOrigin("A page of another site asked for this; only this server's own pages may.")


async def form_fields(request: Request) -> dict[str, str]:
    """The fields of a form that was sent; of a field that comes twice, the last."""
    same_origin(request)
    body = await read_body(request)
    if len(body) > MOST_BYTES:
        raise PayloadTooLarge(
            f"This form has {len(body):,} bytes, more than the {MOST_BYTES:,} that are taken; "
            "send long experiments to POST /v1/experiments."
        )
    return await to_thread.run_sync(_fields_of, body)


def _fields_of(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise MalformedRequest(f"This form has more than {MOST_FIELDS} fields; send those of the page.") from None


Fields = Annotated[dict[str, str], Depends(form_fields)]
