"""The command that computes a run again and compares."""

from collections.abc import Sequence
from typing import Annotated

import typer

from service.cli.clients import print_json
from service.cli.options import ApiKey, AsJson, RunId, Url
from service.cli.tables import make_console
from service.cli.waiting import say_it_is_stored, watch
from service.client.api import Json, Rankward
from service.client.calls import DEFAULT_URL
from service.client.reproduction import first_difference, unlike
from service.errors import RankwardError

OnUrl = Annotated[
    str | None, typer.Option("--on", help="Another server that computes it.", show_default="the one that has the run")
]


class NothingToCompare(RankwardError):
    """A run cannot be reproduced"""


def reproduce(
    run: RunId, on: OnUrl = None, as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None
) -> None:
    """Compute a run again from its spec, and compare the trajectories to the bit; exits with 1 where they differ."""
    with Rankward(url, api_key) as client, Rankward(on or url, api_key) as computing:
        before = client.run(run)
        _check_it_ended(before)
        again = _computed_again(computing, before, as_json)
        columns = (client.trajectory(before["id"])["columns"], computing.trajectory(again["id"])["columns"])
    difference, reasons = first_difference(*columns), unlike(before, again)
    said = None if difference is None else str(difference)
    if as_json:
        print_json({"run": before["id"], "again": again["id"], "first_difference": said, "computed_unlike": reasons})
    else:
        _say(again, len(columns[0]["step"]), said, reasons)
    if difference is not None:
        raise typer.Exit(1)


def _check_it_ended(run: Json) -> None:
    """Raise NothingToCompare unless a run went as far as its spec says."""
    if run["status"] != "succeeded":
        raise NothingToCompare(
            f"Run {run['id']} is {run['status']}; its trajectory is whole only once it has succeeded."
        )


def _computed_again(client: Rankward, run: Json, as_json: bool) -> Json:
    """A run of the same spec, as it ended."""
    posted = {"name": f"{run['id']} again", "tags": {"reproduces": run["id"]}, "run": run["spec"]}
    experiment = client.submit(posted)
    say_it_is_stored(experiment, to_stderr=as_json)
    watch(client, experiment, quiet=as_json)
    (again,) = client.runs(experiment["id"])
    if again["status"] != "succeeded":
        raise NothingToCompare(f"Run {again['id']} is {again['status']}: {again['error'] or 'it was stopped.'}")
    return again


def _say(again: Json, points: int, difference: str | None, reasons: Sequence[str]) -> None:
    console = make_console()
    unlike_ones = "; ".join(reasons)
    if difference is None:
        though = f", although {unlike_ones}" if reasons else ""
        console.print(f"The same to the bit: all {points:,} points of run {again['id']}{though}.")
        return
    console.print(f"Not the same: {difference} (run {again['id']}).")
    if reasons:
        console.print(f"That may be because {unlike_ones}.")
    else:
        console.print(
            "Both ended with the same versions, engine and processor. Earlier slices may have been computed elsewhere; "
            "if not, this is a fault, and worth a report with both runs."
        )
