"""Tables that fit: columns are chosen by what matters most, ids are never cut, texts are shortened visibly.

Where there is no terminal (a pipe, a file) every column is there, with whole ids and texts; COLUMNS in the environment
stands for a terminal of that width.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.values.visible import visible

GAP = 2
LEAST_ID_CHARACTERS = 8
ENDLESS = 1_000_000


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        importance: 0 for what is always shown; the least comes first where there is too little room for all.
        least: width to which texts may be cut, or wrapped; None where they may not.
        note: what is said of it below the table.
        wraps: whether texts too long go on in the next line.
    """

    heading: str
    cells: Sequence[str]
    importance: int = 0
    least: int | None = None
    is_number: bool = False
    wraps: bool = False
    note: str = ""

    @property
    def width(self) -> int:
        """Cells that the longest text takes."""
        return max(map(cell_len, (self.heading, *self.cells)), default=0)


def make_console(stderr: bool = False) -> Console:
    """The console of a command: texts are printed as they are, never taken for markup or codes of emoji."""
    width = None if stderr or fits_terminal() else ENDLESS
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=width, stderr=stderr)


def fits_terminal() -> bool:
    """Whether the output is for a screen with an end."""
    return sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()


def print_table(columns: Iterable[Column]) -> None:
    """Print a table on standard output, with as many of its columns as the terminal has room for."""
    console, columns = make_console(), _as_typed(columns)
    if not columns or not columns[0].cells:
        return console.print("There are none.")
    chosen = fitted(columns, console.width) if fits_terminal() else columns
    missing = len(columns) - len(chosen)
    said = (
        f"{missing} more {'column' if missing == 1 else 'columns'} in a wider terminal, through a pipe, or with --json."
        if missing
        else ""
    )
    console.print(_table(chosen), soft_wrap=False)
    for line in filter(None, ("; ".join(column.note for column in chosen if column.note), said)):
        console.print(Text(line, "dim"), soft_wrap=not fits_terminal())
    return None


def fitted(columns: Sequence[Column], width: int) -> list[Column]:
    """The most important columns that fit into a width, in their order, with texts cut to what is left for them."""
    kept: set[int] = set()
    for index in sorted(range(len(columns)), key=lambda index: columns[index].importance):
        chosen = [columns[other] for other in sorted({*kept, index})]
        if not columns[index].importance or _least_width(chosen) <= width:
            kept.add(index)
    return _cut([columns[index] for index in sorted(kept)], width)


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """The shortest ends of ids, 8 characters or more, that tell them apart; each command and each path takes them."""
    whole = set(ids)
    for length in range(LEAST_ID_CHARACTERS, max(map(len, whole), default=0)):
        ends = {public_id[-length:] for public_id in whole}
        if len(ends) == len(whole) and not any(end.startswith("-") for end in ends):  # which would be an option
            return {public_id: public_id[-length:] for public_id in whole}
    return {public_id: public_id for public_id in whole}


def id_column(heading: str, ids: Sequence[str], importance: int = 0) -> Column:
    """A column of ids: short ones on a screen, whole ones elsewhere."""
    shown = short_ids(ids) if fits_terminal() else {}
    return Column(heading, [shown.get(public_id, public_id) for public_id in ids], importance)


def _as_typed(columns: Iterable[Column]) -> list[Column]:
    return [
        replace(column, heading=visible(column.heading), cells=[visible(cell) for cell in column.cells])
        for column in columns
    ]


def _least_width(columns: Sequence[Column]) -> int:
    widths = (column.width if column.least is None else min(column.least, column.width) for column in columns)
    return sum(widths) + GAP * (len(columns) - 1)


def _cut(columns: Sequence[Column], width: int) -> list[Column]:
    """Take from the widest texts first what there is no room for."""
    widths = [column.width for column in columns]
    too_much = sum(widths) + GAP * (len(columns) - 1) - width
    while too_much > 0:
        elastic = [index for index, column in enumerate(columns) if widths[index] > (column.least or widths[index])]
        if not elastic:
            break
        widest = max(elastic, key=widths.__getitem__)
        widths[widest] -= 1
        too_much -= 1
    return [
        column
        if column.wraps
        else replace(column, heading=_end(column.heading, room), cells=[_end(cell, room) for cell in column.cells])
        for column, room in zip(columns, widths, strict=True)
    ]


def _end(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    shown = Text(text)
    shown.truncate(width, overflow="ellipsis")
    return shown.plain


def _table(columns: Sequence[Column]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for column in columns:
        justify = "right" if column.is_number else "left"
        overflow = "fold" if column.wraps else "crop"
        table.add_column(Text(column.heading), justify=justify, no_wrap=not column.wraps, overflow=overflow)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    return table
