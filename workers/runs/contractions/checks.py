"""Whether names, letters and shapes of a contraction fit together; a mistake points at its field, or at its letter."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from workers.runs.base import misfit, misfit_at
from workers.runs.contractions.multilinear import Term
from workers.runs.contractions.subscripts import SubscriptError, parse, sizes_of

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")

Shapes = Mapping[str, Sequence[int]]


def check_contraction(factors: Shapes, constants: Mapping[str, Any], terms: Sequence[Term]) -> None:
    """Raise a misfit, pointing into the model, unless all fit together.

    Args:
        constants: nested tuples of numbers, by name.
    """
    for field, names in (("factors", factors), ("constants", constants)):
        for name in names:
            if NAME.fullmatch(name) is None:
                raise misfit(
                    (field, name), "A name is a letter and at most 31 letters, digits and underscores after it."
                )
    for name in constants:
        if name in factors:
            raise misfit(("constants", name), f"{name!r} is a factor already; give the constant another name.")
    shapes = {**factors, **{name: constant_shape(constant, name) for name, constant in constants.items()}}
    _check_names(shapes, factors, terms)
    _check_letters(shapes, terms)


def constant_shape(constant: Any, name: str) -> tuple[int, ...]:
    """The shape of nested tuples; raises a misfit where they are ragged, or a single number."""
    shape = _shape(constant)
    if not shape:
        raise misfit(
            ("constants", name),
            "A constant is a list of numbers, or nested lists of equal lengths; let all lists of a level be as long.",
        )
    return shape


def _shape(nested: Any) -> tuple[int, ...] | None:
    """The shape of nested tuples, () of a number; None where they are ragged or empty."""
    if not isinstance(nested, tuple):
        return ()
    if nested and tuple not in set(map(type, nested)):
        return (len(nested),)
    shapes = {_shape(part) for part in nested}
    inside = shapes.pop() if len(shapes) == 1 else None
    return None if inside is None else (len(nested), *inside)


def _check_names(shapes: Shapes, factors: Shapes, terms: Sequence[Term]) -> None:
    for number, term in enumerate(terms):
        for place, name in enumerate(term.of):
            if name not in shapes:
                raise misfit(
                    ("terms", number, "of", place),
                    f"There is no factor or constant {name!r}; declare it, or correct it.",
                )
    used = {name for term in terms for name in term.of}
    for name in shapes:
        if name not in used:
            field = "factors" if name in factors else "constants"
            raise misfit((field, name), f"No term has {name!r}; use it, or leave it out.")


def _check_letters(shapes: Shapes, terms: Sequence[Term]) -> None:
    product: tuple[int, ...] | None = None
    for number, term in enumerate(terms):
        pointer = ("terms", number, "einsum")
        try:
            written = parse(term.einsum)
            sizes = sizes_of(written, term.of, shapes)
        except SubscriptError as error:
            _refuse(pointer, term.einsum, error)
        shape = tuple(sizes[letter] for letter in written.output)
        if product is not None and shape != product:
            ours, first = (" x ".join(map(str, sizes)) for sizes in (shape, product))
            detail = f"This term is {ours} and the first one is {first}; give all terms one shape."
            _refuse(pointer, term.einsum, SubscriptError(written.output_begins, detail))
        product = shape


def _refuse(pointer: tuple[str | int, ...], text: str, error: SubscriptError) -> NoReturn:
    raise misfit_at(pointer, text, error.position, error.detail) from None
