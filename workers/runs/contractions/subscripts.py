"""Subscripts such as "ir,jr->ij": letters for the dimensions of every operand, and of the product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_letters

ARROW = "->"

Sizes = Mapping[str, int]


class SubscriptError(Exception):
    """A mistake at a character of subscripts.

    Attributes:
        position: index of the character, from 0.
        detail: a sentence that says what to do.
    """

    def __init__(self, position: int, detail: str) -> None:
        super().__init__(detail)
        self.position, self.detail = position, detail


@dataclass(frozen=True)
class Subscripts:
    """The letters of a term.

    Attributes:
        operands: letters of each operand, dimension by dimension.
        begins: index in the text of the first letter of each operand.
        output: letters of the product.
        output_begins: index in the text of the first of them.
    """

    operands: tuple[str, ...]
    begins: tuple[int, ...]
    output: str
    output_begins: int


def parse(text: str) -> Subscripts:
    """The letters of subscripts; raises SubscriptError."""
    for position, character in enumerate(text):
        if character not in ascii_letters and character != "," and not _is_of_an_arrow(text, position):
            raise SubscriptError(
                position, f"{character!r} means nothing here; write letters, a comma between operands, and one '->'."
            )
    arrow = text.find(ARROW)
    if arrow < 0:
        raise SubscriptError(len(text), "Write '->' and the letters of the product here.")
    for repeated in (text.find(ARROW, arrow + 1), text.find(",", arrow)):
        if repeated >= 0:
            raise SubscriptError(repeated, "A product has one group of letters; leave this out.")
    operands, begins = text[:arrow].split(","), [0]
    for operand in operands[:-1]:
        begins.append(begins[-1] + len(operand) + 1)
    return Subscripts(tuple(operands), tuple(begins), text[arrow + 2 :], arrow + 2)


def _is_of_an_arrow(text: str, position: int) -> bool:
    return text[position : position + 2] == ARROW or text[max(position - 1, 0) : position + 1] == ARROW


def sizes_of(subscripts: Subscripts, names: Sequence[str], shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """The size of every letter; raises SubscriptError where letters and shapes do not fit together.

    Args:
        names: of the operands.
        shapes: of everything that has a name.
    """
    _check_count(subscripts, len(names))
    sizes: dict[str, int] = {}
    for name, letters, begin in zip(names, subscripts.operands, subscripts.begins, strict=True):
        shape = shapes[name]
        if len(letters) != len(shape):
            raise SubscriptError(
                begin + min(len(letters), len(shape)),
                f"{name!r} has {_counted(len(shape), 'dimension')} and {_counted(len(letters), 'letter')} here; "
                "give a letter for each dimension.",
            )
        for offset, (letter, size) in enumerate(zip(letters, shape, strict=True)):
            if letter in letters[:offset]:
                raise SubscriptError(
                    begin + offset,
                    f"The letter {letter!r} occurs twice in {name!r}, which would take a diagonal; "
                    "use another letter, and a constant identity if a diagonal is meant.",
                )
            if sizes.setdefault(letter, size) != size:
                raise SubscriptError(
                    begin + offset,
                    f"The letter {letter!r} is {size} here, in {name!r}, and {sizes[letter]} before; "
                    "use another letter, or change a shape.",
                )
    _check_output(subscripts, sizes)
    return sizes


def _check_count(subscripts: Subscripts, needed: int) -> None:
    given = len(subscripts.operands)
    if given != needed:
        position = subscripts.begins[needed] if given > needed else subscripts.output_begins - len(ARROW)
        raise SubscriptError(
            position,
            f"There are {_counted(given, 'group')} of letters and {_counted(needed, 'name')} in `of`; "
            "give a group for each name.",
        )


def _check_output(subscripts: Subscripts, sizes: Sizes) -> None:
    output, begin = subscripts.output, subscripts.output_begins
    if not output:
        raise SubscriptError(begin, "A product has a dimension or more; write its letters after '->'.")
    for offset, letter in enumerate(output):
        if letter not in sizes:
            raise SubscriptError(begin + offset, f"No operand has the letter {letter!r}; take one that some have.")
        if letter in output[:offset]:
            raise SubscriptError(begin + offset, f"The product has the letter {letter!r} twice; name it once.")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
