"""Base of every part of a spec: strictness, exact types, and errors that point at a field."""

from collections.abc import Sequence
from math import isfinite
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError


class SpecModel(BaseModel, frozen=True):
    """A frozen part of a spec: no unknown field, no silent conversion, no non-finite number."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def integral(value: Any) -> Any:
    """Convert a float with an integral value, such as 5e6, to int; leave everything else to the strict check."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def classes_by_kind(union: Any) -> dict[str, type[Any]]:
    """Classes of a union, in order, by their `kind`; the union is Annotated with `kind` as its discriminator."""
    classes = get_args(get_args(union)[0])
    return {get_args(model.model_fields["kind"].annotation)[0]: model for model in classes}


LARGEST_INTEGER = 2**53 - 1
"""Largest integer that every JSON reader keeps exact (RFC 8259, section 6)."""

Integer = Annotated[int, BeforeValidator(integral), Field(le=LARGEST_INTEGER)]
Natural = Annotated[Integer, Field(ge=0)]
Count = Annotated[Integer, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]

Listed = Strict(False)
"""Marks a tuple field that is written as a JSON list; tuples keep specs hashable."""


class ColumnOfNumbers:
    """Marks a field that is a number or a list of numbers: queries compare the number, and items of the list."""


def misfit(pointer: tuple[str | int, ...], message: str) -> PydanticCustomError:
    """The error for parts of a spec that do not fit together, pointing at the part to change.

    Args:
        pointer: path of the field inside the model whose validator raises.
        message: a sentence that says what to do.
    """
    return PydanticCustomError("misfit", "{message}", {"message": message, "pointer": list(pointer)})


def misfit_at(pointer: tuple[str | int, ...], text: str, position: int, message: str) -> PydanticCustomError:
    """The error for a mistake at a character of a text, counted from 0; see `misfit`."""
    context = {"message": message, "pointer": list(pointer), "text": text, "position": position}
    return PydanticCustomError("misfit", "{message}", context)


def nested_numbers(value: Any) -> Any:
    """Nested lists of finite numbers, of any depth, as nested tuples of floats; a misfit points at a wrong part."""
    return _nested(value, ())


def _nested(value: Any, pointer: tuple[int, ...]) -> Any:
    if isinstance(value, list | tuple):
        if value and set(map(type, value)) <= {float, int} and all(map(isfinite, value)):  # the usual, at C's speed
            return tuple(map(float, value))
        return tuple(_nested(part, (*pointer, index)) for index, part in enumerate(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise misfit(pointer, "Give a number, or a list of them.")
    if not isfinite(value):
        raise misfit(pointer, "Give a finite number.")
    return float(value)


def check_index(index: Sequence[int], shape: Sequence[int], pointer: tuple[str | int, ...]) -> None:
    """Raise a misfit unless `index` names an entry of a tensor of `shape`."""
    if len(index) != len(shape) or any(i >= d for i, d in zip(index, shape, strict=True)):
        raise misfit(
            pointer,
            f"Index {list(index)} lies outside the shape {list(shape)}; "
            f"give {len(shape)} indices, each from 0 to its dimension minus 1.",
        )


def check_matrix(matrix: Sequence[Sequence[float]], shape: Sequence[int], pointer: tuple[str | int, ...]) -> None:
    """Raise a misfit unless `matrix` has the rows and columns of `shape`."""
    if [len(row) for row in matrix] != [shape[1]] * shape[0]:
        raise misfit(pointer, f"This is a {shape[0]} x {shape[1]} matrix: give {shape[0]} rows of {shape[1]} numbers.")


def check_tensor(tensor: Any, shape: Sequence[int], pointer: tuple[str | int, ...]) -> None:
    """Raise a misfit unless the nested tuples `tensor` have the dimensions of `shape`."""
    if not _has_shape(tensor, shape):
        if len(shape) == 2:
            message = f"This is a {shape[0]} x {shape[1]} matrix: give {shape[0]} rows of {shape[1]} numbers."
        elif len(shape) == 1:
            message = f"This is a vector: give {shape[0]} numbers."
        else:
            size = " x ".join(map(str, shape))
            message = f"This is a {size} tensor: nest lists of {', '.join(map(str, shape))} parts, outermost first."
        raise misfit(pointer, message)


def _has_shape(tensor: Any, shape: Sequence[int]) -> bool:
    if not shape or not isinstance(tensor, tuple):
        return not shape and not isinstance(tensor, tuple)
    if len(shape) == 1:
        return len(tensor) == shape[0] and tuple not in set(map(type, tensor))
    return len(tensor) == shape[0] and all(_has_shape(part, shape[1:]) for part in tensor)
