"""How the command line shows experiments: a progress bar while they run, a table of their runs."""

import sys
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.client.api import Json, Rankward

Url = Annotated[str, typer.Option(envvar="RANKWARD_URL", help="The server.")]
ApiKey = Annotated[
    str | None,
    typer.Option(envvar="RANKWARD_API_KEY", show_envvar=True, help="API key, where the server asks for one."),
]

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
    return client.wait(experiment["id"], progress=not quiet)


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
    from service.values.labels import rate_label, start_label  # loads numpy, which few commands need

    spec = run["spec"]
    return (
        str(spec["model"].get("depth", "-")),
        start_label(spec),
        rate_label(spec),
        f"{run['step']:,}",
    )


def _size(value: Any) -> Any:
    return abs(value) if isinstance(value, float) else value


def _number(value: Any, form: str) -> str:
    return format(value, form) if isinstance(value, int | float) else "-" if value is None else str(value)


def plain_table(items: Sequence[Json]) -> Table:
    """Objects as rows: a column for each value in them, headed by its path."""
    rows = [dict(_leaves(item)) for item in items]
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*(escape(name) for name in names), box=SIMPLE)
    for row in rows:
        table.add_row(*(escape(_cell(row.get(name))) for name in names))
    return table


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else _number(value, "")


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in value.items():
        if isinstance(part, dict) and part:
            yield from _leaves(part, f"{path}{name}.")
        else:
            yield f"{path}{name}", part
