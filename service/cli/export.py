"""The command that takes runs and trajectories away: into a file, or into MLflow."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import track

from service.cli.options import ApiKey, Fields, OfExperiment, Url, Where
from service.cli.tables import make_console
from service.client.api import Format, Rankward
from service.client.calls import DEFAULT_URL
from service.client.mlflow_export import MlflowExport
from service.errors import RankwardError
from service.values.visible import visible

DEFAULT_FORMAT: Format = "parquet"
DEFAULT_STORE = "sqlite:///mlflow.db"


class StrayOption(RankwardError):
    """An option is not for this export"""


def export(
    what: Annotated[
        Literal["runs", "trajectories", "mlflow"],
        typer.Argument(help="What to take away; mlflow: all of each run, into a store of MLflow."),
    ] = "trajectories",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.", show_default="WHAT.FORMAT")
    ] = None,
    format: Annotated[Format | None, typer.Option(help="Format of the file.", show_default=DEFAULT_FORMAT)] = None,
    experiment: OfExperiment = None,
    where: Where = None,
    metrics: Annotated[str | None, typer.Option(help="Only these metrics of trajectories, e.g. loss.")] = None,
    max_points: Annotated[int | None, typer.Option(min=2, help="Thin each trajectory to so many points.")] = None,
    fields: Fields = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option(envvar="MLFLOW_TRACKING_URI", help="Store of MLflow.", show_default=DEFAULT_STORE),
    ] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Write runs or trajectories to a file, or into MLflow."""
    with Rankward(url, api_key) as client:
        if what == "mlflow":
            _refuse(what, output=output, format=format, fields=fields)
            to = MlflowExport(client, tracking_uri or DEFAULT_STORE, metrics, max_points)
            return _to_mlflow(client, to, tracking_uri or DEFAULT_STORE, experiment, where)
        if what == "runs":
            _refuse(what, metrics=metrics, max_points=max_points)
            only: dict[str, Any] = {"fields": fields}
        else:
            _refuse(what, fields=fields)
            only = {"metrics": metrics, "max_points": max_points}
        format = format or DEFAULT_FORMAT
        file = output or Path(f"{what}.{format}")
        written = client.export(what, format, file, experiment_id=experiment, where=where, **only)
    return make_console().print(f"Wrote {visible(str(file))} ({written:,} bytes)")


def _to_mlflow(client: Rankward, to: MlflowExport, store: str, experiment: str | None, where: str | None) -> None:
    runs = list(client.runs(experiment, where=where))
    console = make_console(stderr=True)
    added = sum(to.add(run) for run in track(runs, "to MLflow", console=console, transient=True))
    known = f"; {len(runs) - added:,} were there already" if added < len(runs) else ""
    make_console().print(f"Wrote {added:,} {'run' if added == 1 else 'runs'} into {visible(store)}{known}.")


def _refuse(what: str, **options: object) -> None:
    """Raise StrayOption where an option is given that changes nothing."""
    for name, value in options.items():
        if value is not None:
            raise StrayOption(f"`export {what}` has no use for --{name.replace('_', '-')}; leave it out.")
