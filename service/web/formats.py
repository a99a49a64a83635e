"""How values are written on pages: few digits, powers of ten as powers, times in UTC; all of it escaped."""

from collections.abc import Mapping
from datetime import datetime
from math import floor, isfinite, log10
from typing import Any

from markupsafe import Markup, escape

DIGITS = 4
ABSENT = Markup('<span class="absent" title="does not apply">&ndash;</span>')
_NOT_FINITE = {
    "Infinity": Markup('<span title="infinity">∞</span>'),
    "-Infinity": Markup('<span title="minus infinity">&minus;∞</span>'),
    "NaN": Markup('<span title="not a number">NaN</span>'),
}


def number(value: Any) -> Markup:
    """A number with a few digits: 1.234, 12 340 000, 1.2 times 10 to the -5; a dash for what is absent."""
    if value is None:
        return ABSENT
    if isinstance(value, str):
        return _NOT_FINITE.get(value, escape(value))
    if isinstance(value, bool):
        return Markup("yes" if value else "no")
    if isinstance(value, int):
        return integer(value)
    return _float(value)


def integer(value: int) -> Markup:
    """An integer in groups of three digits."""
    return escape(f"{value:,}".replace(",", "\u202f").replace("-", "\u2212"))


def shown(value: Any) -> Markup:
    """Any value of a spec or a summary in a table's cell."""
    if isinstance(value, list | tuple):
        return Markup(", ").join(shown(one) for one in value)
    if isinstance(value, Mapping):
        return Markup("; ").join(Markup("{}: {}").format(words(str(k)), shown(v)) for k, v in value.items())
    if isinstance(value, str) and value not in _NOT_FINITE:
        return words(value)
    return number(value)


def words(name: str) -> Markup:
    """A name of ours as words."""
    return escape(name.replace("_", " "))


def moment(value: datetime | None) -> Markup:
    """A time in UTC, to the minute; the seconds are in the element."""
    if value is None:
        return ABSENT
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        value.isoformat(timespec="seconds"), f"{value:%Y-%m-%d %H:%M:%S} UTC", f"{value:%-d %b %Y, %H:%M}"
    )


def large(value: int | float) -> Markup:
    """A large number to two digits, for what is an estimate anyway."""
    return integer(int(value)) if value < 10_000 else _float(float(value), 2)


def _float(value: float, digits: int = DIGITS) -> Markup:
    if not isfinite(value):
        return _NOT_FINITE["NaN" if value != value else "Infinity" if value > 0 else "-Infinity"]
    if value == 0:
        return Markup("0")
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    exponent = int(power)
    if -3 <= exponent < 5 and digits == DIGITS:
        return escape(f"{value:.{max(0, digits - 1 - floor(log10(abs(value))))}f}".replace("-", "\u2212"))
    text, sign = mantissa.rstrip("0").rstrip(".").replace("-", "\u2212"), "\u2212" if exponent < 0 else ""
    return Markup("{}\u202f&times;\u202f10<sup>{}{}</sup>").format(text, sign, abs(exponent))
