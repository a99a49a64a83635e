"""Formats: their names, their media types, and which one a client accepts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from service.errors import NotAcceptable

FormatName = Literal["json", "csv", "ndjson", "arrow", "parquet"]


@dataclass(frozen=True)
class Format:
    """One way to write a table.

    Attributes:
        extension: of a file that holds it.
    """

    name: FormatName
    media_type: str
    extension: str


FORMATS: dict[FormatName, Format] = {
    "json": Format("json", "application/json", "json"),
    "csv": Format("csv", "text/csv", "csv"),
    "ndjson": Format("ndjson", "application/x-ndjson", "ndjson"),
    "arrow": Format("arrow", "application/vnd.apache.arrow.stream", "arrows"),
    "parquet": Format("parquet", "application/vnd.apache.parquet", "parquet"),
}


def accepted_format(name: FormatName | None, accept: str | None) -> Format:
    """The format that was asked for by name, or the one that an Accept header likes best (RFC 9110, section 12.5.1).

    Raises:
        NotAcceptable: the header takes none of them.
    """
    if name is not None:
        return FORMATS[name]
    ranges = list(_ranges(accept or "*/*")) or [("*/*", 1.0)]
    liked = {format.name: _quality(format.media_type, ranges) for format in FORMATS.values()}
    best = max(FORMATS, key=liked.__getitem__)  # the first of equals
    if not liked[best]:
        known = ", ".join(format.media_type for format in FORMATS.values())
        raise NotAcceptable(f"This comes as {known}; accept one of them, or ask for one by ?format=.")
    return FORMATS[best]


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [piece[2:] for piece in parameters if piece.startswith("q=")]
        if media:
            yield media, _weight(weights[0]) if weights else 1.0


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _quality(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """What the most specific range that covers a media type says of it."""
    family = media_type.split("/")[0]
    for wanted in (media_type, f"{family}/*", "*/*"):
        weights = [weight for media, weight in ranges if media == wanted]
        if weights:
            return max(weights)
    return 0.0
