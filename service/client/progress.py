"""A progress bar of an experiment, on standard error."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def experiment_bar(name: str, total: int) -> Generator[Callable[[Mapping[str, Any]], None]]:
    """A live bar; what it gives is called with the experiment as it goes."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    texts = (TextColumn("runs over"), TextColumn("{task.fields[note]}"), TimeElapsedColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *texts)
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total, note="")

        def show(now: Mapping[str, Any]) -> None:
            counts = now["runs"]
            over = counts["succeeded"] + counts["failed"] + counts["cancelled"]
            bar.update(task, completed=over, note=f"({counts['running']} running)")

        yield show
