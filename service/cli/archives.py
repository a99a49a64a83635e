"""Commands that keep what is old elsewhere, remove it, and bring it back: archive, import, prune."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from service.cli.clients import print_json
from service.cli.options import ApiKey, AsJson, ExperimentId, Url
from service.cli.tables import Column, id_column, make_console, print_table
from service.client.api import Json, Rankward
from service.client.calls import DEFAULT_URL
from service.errors import RankwardError
from service.values.visible import visible

_AGE = re.compile(r"(?P<count>[0-9]{1,6})(?P<unit>[hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_OVER = "status IN ('succeeded', 'failed', 'cancelled')"


class NotAnAge(RankwardError):
    """This is no age"""


def archive(
    experiment: ExperimentId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write. [default: ID.parquet]")] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Write an experiment that is over to a Parquet file, which `rankward import` reads back."""
    with Rankward(url, api_key) as client:
        whole = client.experiment(experiment)["id"]
        file = output or Path(f"{whole}.parquet")
        written = client.archive(whole, file)
    make_console().print(f"Wrote {visible(str(file))} ({written:,} bytes)")


def import_archives(
    files: Annotated[list[Path], typer.Argument(help="Archives that `rankward archive` or `prune` wrote.")],
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Store experiments of archives again, with their ids; those that are there already stay as they are."""
    with Rankward(url, api_key) as client:
        for file in files:
            make_console().print(_said(file, client.import_archive(file)))


def prune(
    older_than: Annotated[str, typer.Option(help="Age since the submission: a number and h, d or w, such as 30d.")],
    where: Annotated[
        str | None, typer.Option(help="Only experiments for which this holds, too: tags.keep IS NULL.")
    ] = None,
    archive: Annotated[Path | None, typer.Option(help="Directory for an archive of each before it is removed.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it nothing is changed.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Remove old experiments that are over; without --yes, say which and how much space that would free."""
    before = datetime.now(UTC) - _age(older_than)
    old = f"created_at < '{before.isoformat()}' AND {_OVER}"
    with Rankward(url, api_key) as client:
        chosen = list(client.experiments(old if where is None else f"{old} AND ({where})", "created_at"))
        sized = [{**experiment, "size": client.size(experiment["id"])} for experiment in chosen]
        if yes:
            for experiment in chosen:
                _remove(client, experiment["id"], archive)
    if as_json:
        items = [{"id": one["id"], "name": one["name"], **one["size"]} for one in sized]
        return print_json({"removed": yes, "items": items})
    return _show(sized, yes)


def _remove(client: Rankward, experiment_id: str, folder: Path | None) -> None:
    """Remove an experiment; with a folder, only once its archive is there."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        client.archive(experiment_id, folder / f"{experiment_id}.parquet")
    client.delete(experiment_id)


def _show(chosen: Sequence[Json], removed: bool) -> None:
    sizes = [one["size"] for one in chosen]
    columns = [
        Column("name", [one["name"] for one in chosen], 1, 12),
        Column("submitted", [one["created_at"][:10] for one in chosen], 1),
        *(Column(name, [f"{size[name]:,}" for size in sizes], 1, is_number=True) for name in ("runs", "points")),
        Column("space", [_space(size["bytes"]) for size in sizes], is_number=True),
        id_column("id", [one["id"] for one in chosen]),
    ]
    if chosen:
        print_table(columns)
    runs, room = sum(size["runs"] for size in sizes), _space(sum(size["bytes"] for size in sizes))
    experiments = f"{len(chosen):,} {'experiment' if len(chosen) == 1 else 'experiments'}"
    what = f"{experiments} with {runs:,} {'run' if runs == 1 else 'runs'}, about {room}"
    asked = (
        f"Removed {what}." if removed else f"This would remove {what}. Nothing is removed; give --yes to remove them."
    )
    make_console().print(asked if chosen else "There is nothing as old as that, and over.")


def _space(size: float) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _age(text: str) -> timedelta:
    age = _AGE.fullmatch(text)
    if age is None:
        raise NotAnAge(f"{text!r} is no age; give a number and h, d or w: 12h, 30d, 8w.")
    return int(age["count"]) * _UNITS[age["unit"]]


def _said(file: Path, imported: Json) -> str:
    experiment, renamed = imported["experiment"], imported["renamed_runs"]
    if not imported["is_new"]:
        return f"{visible(str(file))}: experiment {experiment['id']} is there already; nothing was changed."
    new_ids = f" {renamed:,} of them have new ids, since other runs have theirs." if renamed else ""
    said = f"stored experiment {experiment['id']} with {experiment['runs']['total']:,} runs."
    return f"{visible(str(file))}: {said}{new_ids}"
