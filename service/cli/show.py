"""How the command line shows experiments: a progress bar while they run, a table of their runs."""

import sys
from collections.abc import Iterator, Sequence
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
    from workers.runs.metrics import BY_NAME, shown_in  # loads numpy, which few commands need

    there_are = [name for name in shown_in("terminal") if any(name in run["summary"] for run in runs)]
    cells = {name: cell for name in there_are if (cell := BY_NAME[name].cell) is not None}
    names = (*_SETTINGS, *(cell.heading for cell in cells.values()), "outcome")
    table = Table(*names, caption="|entry|: size of the unobserved entry; eff. rank: effective rank", box=SIMPLE)
    for run in runs:
        shown = (_number(_size(run["summary"].get(name)), cell.format) for name, cell in cells.items())
        table.add_row(*_row(run), *shown, run["outcome"] or run["status"])
    return table


def groups_table(runs: Sequence[Json]) -> Table:
    """Runs that differ only by their seed, a line for each group: medians, and the range of the unobserved entry."""
    from service.values.quantiles import five_numbers, median  # numpy, which no other command needs

    groups: dict[tuple[str, ...], list[Json]] = {}
    for run in runs:
        groups.setdefault(_row(run)[:3], []).append(run["summary"])
    table = Table("depth", "start", "rate", "runs", "steps", "loss", "|entry|", "least", "most", box=SIMPLE)
    for settings, summaries in groups.items():
        entries = five_numbers([abs(float(summary["unobserved_entry"])) for summary in summaries])
        steps, loss = (median([float(summary[name]) for summary in summaries]) for name in ("steps", "loss"))
        spread = (_number(value, ".4g") for value in (entries.median, entries.least, entries.greatest))
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
