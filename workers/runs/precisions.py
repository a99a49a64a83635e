"""Precisions of a run, and the numbers that they do not carry."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from workers.runs.spec import RunSpec

Precision = Literal["float64", "float32"]

LEAST: Mapping[Precision, float] = {"float64": 2.0**-1022, "float32": 2.0**-126}
"""The least number that a precision holds with all its digits (IEEE 754); smaller ones lose digits, then round to 0."""

MOST: Mapping[Precision, float] = {"float64": 2.0**1023 * (2 - 2.0**-52), "float32": 2.0**127 * (2 - 2.0**-23)}
"""The largest finite number of a precision."""


def rounded_away(spec: "RunSpec") -> tuple[tuple[str | int, ...], str] | None:
    """The path in the run of a number that its precision does not carry, and a sentence of advice; None without one.

    It is checked when a run is submitted, not when it is read: what was stored before stays readable.
    """
    return _of_start(spec) or _of_optimizer(spec) if spec.model.is_trained else None


def _of_start(spec: "RunSpec") -> tuple[tuple[str | int, ...], str] | None:
    precision, size = spec.precision, spec.init.size(spec.model, spec.problem.shape)
    if size is None or size.entry >= LEAST[precision]:
        return None
    return size.pointer, (
        f"With {size.name} of {size.value:g} this start rounds away in {precision}: the least there is "
        f"{size.least(LEAST[precision]):g}; take a larger one{_or_more_digits(precision)}."
    )


def _of_optimizer(spec: "RunSpec") -> tuple[tuple[str | int, ...], str] | None:
    least, most = LEAST[spec.precision], MOST[spec.precision]
    for name, value in spec.optimizer:
        if not isinstance(value, float) or value == 0.0 or least <= value <= most:
            continue
        said, bound, comparative = ("rounds away", f"the least there is {1.006 * least:.2e}", "larger")
        if value > most:
            said, bound, comparative = ("is infinite", f"the most there is {0.994 * most:.2e}", "smaller")
        advice = f"take a {comparative} one{_or_more_digits(spec.precision)}"
        return ("optimizer", name), f"{value:g} {said} in {spec.precision}: {bound}; {advice}."
    return None


def _or_more_digits(precision: Precision) -> str:
    return ", or float64" if precision == "float32" else ""
