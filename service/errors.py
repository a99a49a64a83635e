"""Domain errors: what can go wrong, free of HTTP. Each docstring is the sentence a caller reads as the title."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One mistake in a payload.

    Attributes:
        pointer: JSON pointer (RFC 6901) of the field to change, "" for the whole payload.
        detail: a sentence that says what to do.
        character: where in a text the mistake stands, counted from 0; None when it is not in one place of a text.
        excerpt: the text around that character, with a caret below it.
    """

    pointer: str
    detail: str
    character: int | None = None
    excerpt: str | None = None


class RankwardError(Exception):
    """Something went wrong."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def title_of(error: BaseException) -> str:
    """The first line of an error's docstring, which is its title; the name of its class without it."""
    return (type(error).__doc__ or type(error).__name__).partition("\n")[0]


def sentences_of(error: RankwardError | OSError) -> tuple[str, str]:
    """The title and the detail of an error that ends a process, for whoever started it."""
    if isinstance(error, RankwardError):
        return title_of(error), error.detail.strip()
    return "The system said no", f"{error.filename or ''} {error.strerror or error}".strip()


class InvalidPayload(RankwardError):
    """The payload is not valid"""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(error.detail for error in errors[:3]))
        self.errors = tuple(errors)


class PayloadTooLarge(RankwardError):
    """The payload is too large"""


class MalformedRequest(RankwardError):
    """The request cannot be read"""


class TooSlow(RankwardError):
    """The request did not come in time"""


class UrlTooLong(RankwardError):
    """The URL is too long"""


class HeadTooLarge(RankwardError):
    """The headers are too large"""


class UnsupportedMediaType(RankwardError):
    """The body is not of a type that is read here"""


class Unauthenticated(RankwardError):
    """An API key is needed

    Attributes:
        given: whether there was a key, one that is not valid.
    """

    def __init__(self, detail: str, given: bool) -> None:
        super().__init__(detail)
        self.given = given


class Forbidden(RankwardError):
    """This key may not do that

    Attributes:
        scope: the scope that is missing.
    """

    def __init__(self, detail: str, scope: str) -> None:
        super().__init__(detail)
        self.scope = scope


class TryLater(RankwardError):
    """The limit of this key is reached

    Attributes:
        retry_after: seconds after which a new try may succeed.
    """

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class WrongHost(RankwardError):
    """This server does not answer to that name"""


class CrossOrigin(RankwardError):
    """Pages of other sites may not do that"""


class NotFound(RankwardError):
    """There is no such thing"""


class AmbiguousId(RankwardError):
    """Several things have an id like this"""


class IdempotencyConflict(RankwardError):
    """The idempotency key was used with another body"""


class NotAcceptable(RankwardError):
    """This does not come in a format that you accept"""


class NotReady(RankwardError):
    """The service is not ready"""


class BeingStored(NotReady):
    """This is being stored

    Raised where an experiment of the same idempotency key is being stored by another request.
    """


class NotAvailable(RankwardError):
    """This cannot be answered now"""


def json_pointer(path: Sequence[str | int]) -> str:
    """The JSON pointer of a path (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
