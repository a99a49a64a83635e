"""How the command line shows experiments: a progress bar while they run, a table of their runs."""

import sys
from collections.abc import Sequence
from statistics import median
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from service.client import Json, Rankward
from service.labels import start_label

Url = Annotated[str, typer.Option(envvar="RANKWARD_URL", help="The server.")]
DEFAULT_URL = "http://127.0.0.1:8000"

_SETTINGS = ("depth", "start", "rate", "steps")
_MEASURED = {
    "loss": ("loss", ".2e"),
    "unobserved_entry": ("|entry|", ".4g"),
    "effective_rank": ("eff. rank", ".5f"),
    "reconstruction_error": ("error", ".2e"),
    "rank": ("rank", "d"),
}
"""What is shown of a summary where some run has it: heading and format."""


WIDTH_WHEN_PIPED = 160


def make_console() -> Console:
    """The console of a command: as wide as the terminal, and wide enough for every column where there is none."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH_WHEN_PIPED)


def watch(client: Rankward, experiment: Json, quiet: bool = False) -> Json:
    """Wait for an experiment under a live bar on standard error; returns it as it ended."""
    texts = (TextColumn("runs over"), TextColumn("{task.fields[note]}"), TimeElapsedColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *texts)
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task(experiment["name"] or experiment["id"], total=experiment["runs"]["total"], note="")

        def show(now: Json) -> None:
            counts = now["runs"]
            over = counts["succeeded"] + counts["failed"] + counts["cancelled"]
            bar.update(task, completed=over, note=f"({counts['running']} running)")

        return client.wait(experiment["id"], show)


def failed(experiment: Json) -> bool:
    """Whether any run of an experiment failed."""
    return experiment["runs"]["failed"] > 0


def runs_table(runs: Sequence[Json]) -> Table:
    """Runs with the settings that differ most between experiments, and what came out."""
    measured = [name for name in _MEASURED if any(name in run["summary"] for run in runs)]
    names = (*_SETTINGS, *(_MEASURED[name][0] for name in measured), "outcome")
    table = Table(*names, caption="|entry|: size of the unobserved entry; eff. rank: effective rank", box=SIMPLE)
    for run in runs:
        shown = (_number(_size(run["summary"].get(name)), _MEASURED[name][1]) for name in measured)
        table.add_row(*_row(run), *shown, run["outcome"] or run["status"])
    return table


def groups_table(runs: Sequence[Json]) -> Table:
    """Runs that differ only by their seed, a line for each group: medians, and the range of the unobserved entry."""
    groups: dict[tuple[str, ...], list[Json]] = {}
    for run in runs:
        groups.setdefault(_row(run)[:3], []).append(run["summary"])
    table = Table("depth", "start", "rate", "runs", "steps", "loss", "|entry|", "least", "most", box=SIMPLE)
    for settings, summaries in groups.items():
        entries = sorted(abs(summary["unobserved_entry"]) for summary in summaries)
        steps, loss = (median(summary[name] for summary in summaries) for name in ("steps", "loss"))
        spread = (_number(value, ".4g") for value in (median(entries), entries[0], entries[-1]))
        table.add_row(*settings, str(len(summaries)), f"{steps:,.0f}", _number(loss, ".2e"), *spread)
    return table


def _row(run: Json) -> tuple[str, ...]:
    spec = run["spec"]
    return (
        str(spec["model"].get("depth", "-")),
        start_label(spec),
        f"{spec['optimizer']['learning_rate']:g}",
        f"{run['step']:,}",
    )


def _size(value: Any) -> Any:
    return abs(value) if isinstance(value, float) else value


def _number(value: Any, form: str) -> str:
    return format(value, form) if isinstance(value, int | float) else "-" if value is None else str(value)
