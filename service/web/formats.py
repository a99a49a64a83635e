"""How values are written on pages: few digits, powers of ten as powers, times in UTC; all of it escaped."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from markupsafe import Markup, escape

from service.values.numbers import INFINITY, MINUS_INFINITY, NAN, word_of

DIGITS = 4
"""Of a measured number; all are written, so that numbers in a column stand under each other."""

SECONDS_WITH_DECIMALS = 9.5
"""Shorter time spans have a digit after the point."""

ABSENT = Markup('<span class="absent" title="does not apply">&ndash;</span>')
_NOT_FINITE = {
    INFINITY: Markup('<span title="infinity">∞</span>'),
    MINUS_INFINITY: Markup('<span title="minus infinity">&minus;∞</span>'),
    NAN: Markup('<span title="not a number">NaN</span>'),
}


def number(value: Any, digits: int = DIGITS) -> Markup:
    """A number with a few digits: 1.234, 12 340 000, 1.2 times 10 to the -5; a dash for what is absent."""
    if value is None:
        return ABSENT
    if isinstance(value, str):
        return _NOT_FINITE.get(value, escape(value))
    if isinstance(value, bool):
        return Markup("yes" if value else "no")
    if isinstance(value, int):
        return integer(value)
    return _float(value, digits)


def integer(value: int) -> Markup:
    """An integer in groups of three digits."""
    return _signed(f"{value:,}".replace(",", "\u202f"))


def setting(value: Any) -> Markup:
    """A value of a spec, with the digits that it was given with."""
    if isinstance(value, float) and isfinite(value):
        mantissa, _, power = repr(value).removesuffix(".0").partition("e")
        return _power(mantissa, int(power)) if power else _signed(mantissa)
    return shown(value)


def shown(value: Any) -> Markup:
    """Any value of a summary."""
    if isinstance(value, list | tuple):
        return Markup(", ").join(shown(part) for part in value)
    if isinstance(value, Mapping):
        return Markup("; ").join(Markup("{}: {}").format(words(str(k)), shown(v)) for k, v in value.items())
    if isinstance(value, str) and value not in _NOT_FINITE:
        return words(value)
    return number(value)


def words(name: str) -> Markup:
    """A name of ours as words."""
    return escape(name.replace("_", " "))


def moment(value: datetime | None) -> Markup:
    """A time to the minute, in UTC; the seconds are in the element, and a script writes it in the reader's zone."""
    if value is None:
        return ABSENT
    utc = value.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M:%S} UTC", f"{utc:%-d %b %Y, %H:%M} UTC"
    )


def duration(value: timedelta | None) -> Markup:
    """A time span in its two largest units, of days, hours, minutes and seconds; a dash for what is absent."""
    if value is None:
        return ABSENT
    seconds = max(value.total_seconds(), 0.0)
    if seconds < 1:
        return escape(f"{seconds * 1000:.0f}\u202fms")
    if seconds < SECONDS_WITH_DECIMALS:
        return escape(f"{seconds:.1f}\u202fs")
    rest, parts = round(seconds), list[str]()
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count}\u202f{unit}")
    return escape(" ".join(part for part in parts[:2] if not part.startswith("0\u202f")))


def large(value: int) -> Markup:
    """A large number to two digits, for what is an estimate anyway."""
    if value < 10_000:
        return integer(value)
    mantissa, power = f"{value:.1e}".split("e")
    return _power(mantissa, int(power))


def _float(value: float, digits: int) -> Markup:
    if not isfinite(value):
        return _NOT_FINITE[word_of(value)]
    if value == 0:
        return Markup("0")
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    exponent = int(power)
    if -3 <= exponent < DIGITS:
        return _signed(f"{value:.{max(digits - 1 - exponent, 0)}f}")
    return _power(mantissa, exponent)


def _power(mantissa: str, exponent: int) -> Markup:
    power = Markup("10<sup>{}</sup>").format(_signed(str(exponent)))
    return power if mantissa == "1" else Markup("{}\u202f&times;\u202f{}").format(_signed(mantissa), power)


def _signed(text: str) -> Markup:
    return escape(text.replace("-", "\u2212"))
