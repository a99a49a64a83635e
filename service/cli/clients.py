"""Commands that have a server do something: submit, run, wait, cancel, retry, extend, open."""

import json
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.completion import preset_names
from service.cli.figures import figure_format
from service.cli.options import AnyId, ApiKey, AsJson, ExperimentId, RunId, Url, Wait
from service.cli.show import print_runs
from service.cli.spec_files import SpecFile
from service.cli.tables import make_console
from service.cli.waiting import failed, say_it_is_stored, watch
from service.client.api import Json, Rankward, ServerSaidNo
from service.client.calls import DEFAULT_URL

Spec = Annotated[
    Path, typer.Argument(help="Experiment to post, YAML or JSON; - reads standard input.", allow_dash=True)
]
Preset = Annotated[
    str, typer.Argument(help="Name of a preset; `rankward presets` lists them.", autocompletion=preset_names)
]


def submit(
    spec: Spec,
    wait: Wait = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Post an experiment from a file."""
    file = SpecFile(spec)
    with Rankward(url, api_key) as client:
        try:
            experiment = client.submit(file.content)
        except ServerSaidNo as refused:
            raise ServerSaidNo(refused.problem, file.location) from None
        _follow(client, experiment, wait, as_json)


def run(
    preset: Preset,
    wait: Wait = True,
    figure: Annotated[Path | None, typer.Option(help="Picture to write in the end: .png, .svg, .json.")] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Run a preset and show what came out."""
    if figure is not None:
        figure_format(figure)
    with Rankward(url, api_key) as client:
        kinds = {item["name"]: item["figure"] for item in client.presets()}
        picture = None if figure is None else (figure, kinds.get(preset, ""))
        _follow(client, client.submit(client.preset(preset)), wait, as_json, picture)


def wait(
    experiment: ExperimentId,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Wait until every run of an experiment is over, and show what came out."""
    with Rankward(url, api_key) as client:
        _show_end(client, watch(client, client.experiment(experiment), quiet=as_json), as_json)


def cancel(experiment: ExperimentId, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Cancel the runs of an experiment that are not over."""
    with Rankward(url, api_key) as client:
        counts = client.cancel(experiment)["runs"]
    make_console().print(f"{counts['cancelled']} of {counts['total']} runs are cancelled.")


def retry(run: RunId, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Run a failed or cancelled run again, from its checkpoint."""
    with Rankward(url, api_key) as client:
        again = client.retry(run)
    make_console().print(f"Run {again['id']} is {again['status']}.")


def extend(
    run: RunId,
    max_steps: Annotated[int | None, typer.Option(help="Most steps, more than it has now.")] = None,
    max_time: Annotated[float | None, typer.Option(help="Latest time of a flow, later than it has now.")] = None,
    loss_below: Annotated[float | None, typer.Option(help="A lower limit of the loss; 0 removes it.")] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Let a run go on: it then equals one that asked for as much from the start."""
    with Rankward(url, api_key) as client:
        longer = client.extend(run, max_steps=max_steps, max_time=max_time, loss_below=loss_below)
    make_console().print(f"Run {longer['id']} is {longer['status']} at step {longer['step']:,}.")


def open_page(
    id: AnyId,
    only_print: Annotated[bool, typer.Option("--print", help="Print the address and open nothing.")] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Open the page of an experiment or a run in a browser."""
    with Rankward(url, api_key) as client:
        address = f"{url.rstrip('/')}/{_page(client, id)}"
    make_console().print(address)
    if not only_print:
        webbrowser.open(address)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2))


def _follow(
    client: Rankward, experiment: Json, wait: bool, as_json: bool, picture: tuple[Path, str] | None = None
) -> None:
    """Say what was stored; wait for it, and show what came out, in a file's picture too."""
    if wait or not as_json:
        say_it_is_stored(experiment, to_stderr=as_json)
    if wait:
        _show_end(client, watch(client, experiment, quiet=as_json), as_json, picture)
    elif as_json:
        print_json(experiment)


def _show_end(client: Rankward, experiment: Json, as_json: bool, picture: tuple[Path, str] | None = None) -> None:
    if as_json:
        print_json(experiment)
    else:
        print_runs(list(client.runs(experiment["id"])))
    if picture is not None:
        path, kind = picture
        path.write_bytes(client.figure(experiment["id"], kind, figure_format(path)))
    if failed(experiment):
        raise typer.Exit(1)


def _page(client: Rankward, id: str) -> str:
    """The path of a page, without a slash before it; an experiment's before a run's."""
    try:
        return f"experiments/{client.experiment(id)['id']}"
    except ServerSaidNo as refused:
        if refused.problem.get("status") != 404:
            raise
    return f"runs/{client.run(id)['id']}"
