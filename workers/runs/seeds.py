"""Seeds: natural numbers of any size, kept digit by digit.

JSON readers of other languages keep whole numbers up to 2^53 - 1 (RFC 8259, section 6). A larger seed is therefore
written as a string of its digits, and read from one, or from a number with all its digits.
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from workers.runs.base import LARGEST_INTEGER, misfit

MOST_SEED_DIGITS = 1000
"""Digits of a seed; Python reads no number of more than 4300, and a seed stands in every list and file."""

_MOST_WRITTEN_BITS = 14_000
"""Bits of a number that Python writes as digits, of which it allows 4300."""

_DIGITS = re.compile("[0-9]+")


def spelled_seed(seed: int) -> int | str:
    """A seed as JSON has it: the number, or a string of its digits where some readers would lose some."""
    return seed if abs(seed) <= LARGEST_INTEGER else str(seed)


def with_spelled_seeds(part: Any) -> Any:
    """JSON values with every large number under a name of a seed spelled; lists are those of a sweep's axes."""
    if isinstance(part, list):
        return [with_spelled_seeds(axis) for axis in part] if part and isinstance(part[0], dict) else part
    if not isinstance(part, dict):
        return part
    return {name: _spelled(name, value) for name, value in part.items()}


def _spelled(name: Any, value: Any) -> Any:
    if not isinstance(name, str) or name.rpartition(".")[2] != "seed":
        return with_spelled_seeds(value)
    values: list[Any] = value if isinstance(value, list) else [value]
    spelled = [spelled_seed(number) if _is_short(number) else number for number in values]
    return spelled if isinstance(value, list) else spelled[0]


def _is_short(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _MOST_WRITTEN_BITS


def _read(value: Any) -> Any:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        _check_digits(len(value.lstrip("0")))
        return int(value)
    if isinstance(value, float) and value.is_integer():
        if abs(value) > LARGEST_INTEGER + 1:
            raise misfit((), "Write all digits of this seed, without a fraction or an exponent.")
        return int(value)
    return value


def _within_digits(seed: int) -> int:
    if seed >= 10**MOST_SEED_DIGITS:
        _check_digits(MOST_SEED_DIGITS + 1)
    return seed


def _check_digits(digits: int) -> None:
    if digits > MOST_SEED_DIGITS:
        raise misfit((), f"A seed has at most {MOST_SEED_DIGITS:,} digits, and this has more; take a smaller one.")


class Exact:
    """Marks a field whose whole numbers may be of any size."""


Seed = Annotated[
    int,
    BeforeValidator(_read),
    Field(ge=0),
    AfterValidator(_within_digits),
    PlainSerializer(spelled_seed, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}],
            "description": "A natural number; from 2^53 on a string of its digits keeps it exact in every language.",
        }
    ),
    Exact,
]
"""A seed in a spec; give a field of this type a name that ends with `seed`."""
