"""A progress bar of an experiment, on standard error."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from service.values.visible import visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MOST_NAME_CELLS = 40
"""Of a terminal; letters of CJK and emoji take two."""


class Bar:
    """A bar that is shown."""

    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress = progress
        self._task = task

    def show(self, experiment: Mapping[str, Any]) -> None:
        """Move the bar to where an experiment is now."""
        counts = experiment["runs"]
        over = counts["succeeded"] + counts["failed"] + counts["cancelled"]
        self._progress.update(self._task, completed=over, note=f"({counts['running']} running)")

    def say(self, text: str) -> None:
        """Print a sentence above the bar."""
        self._progress.console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)


@contextmanager
def experiment_bar(name: str, total: int) -> Generator[Bar]:
    """A live bar with an experiment's name, which is shown as it was typed, in its first characters."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    shown = Text(visible(name))
    shown.truncate(MOST_NAME_CELLS, overflow="ellipsis")
    texts = (TextColumn("runs over"), TextColumn("{task.fields[note]}"), TimeElapsedColumn())
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), *texts)
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bar(progress, progress.add_task(shown.plain, total=total, note=""))
