"""What is wrong with a request."""

from typing import Annotated

from pydantic import BaseModel, Field


class ProblemField(BaseModel):
    """One mistake: where it stands in the body (a JSON pointer) or which parameter it is in, and what to do."""

    pointer: str
    detail: str
    character: Annotated[int | None, Field(description="In a text: at which character, counted from 0.")] = None
    excerpt: Annotated[str | None, Field(description="The text around it, and a caret below that character.")] = None


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemField] | None = None
