"""Commands that speak to a server."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML, YAMLError

from service.cli.figures import figure_format
from service.cli.show import ApiKey, Url, failed, make_console, runs_table, watch
from service.client.api import DEFAULT_URL, Rankward
from service.errors import RankwardError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Wait = Annotated[bool, typer.Option(help="Wait until every run is over.")]
_console = make_console()


class UnreadableSpec(RankwardError):
    """The spec cannot be read"""


def submit(
    spec: Annotated[Path, typer.Argument(help="Experiment to post, YAML or JSON.")],
    wait: Wait = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Post an experiment from a file."""
    with Rankward(url, api_key) as client:
        _submit(client, _read_spec(spec), wait, as_json)


def run(
    preset: Annotated[str, typer.Argument(help="Name of a preset; `rankward presets` lists them.")],
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
        spec = client.preset(preset)
        kinds = {one["name"]: one["figure"] for one in client.presets()}
        _submit(client, spec, wait, as_json, figure, kinds[preset])


def presets(as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """List the presets."""
    with Rankward(url, api_key) as client:
        found = client.presets()
    if as_json:
        return print_json(found)
    for preset in found:
        _console.print(f"[bold]{preset['name']}[/]  {preset['title']}. {preset['about']}")
    return None


def cancel(
    experiment: Annotated[str, typer.Argument(help="Id of an experiment.")],
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Cancel the runs of an experiment that are not over."""
    with Rankward(url, api_key) as client:
        counts = client.cancel(experiment)["runs"]
    _console.print(f"{counts['cancelled']} of {counts['total']} runs are cancelled.")


def retry(
    run: Annotated[str, typer.Argument(help="Id of a run that failed or was cancelled.")],
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Run a failed or cancelled run again, from its checkpoint."""
    with Rankward(url, api_key) as client:
        _console.print(f"Run {run} is {client.retry(run)['status']}.")


def extend(
    run: Annotated[str, typer.Argument(help="Id of a run.")],
    max_steps: Annotated[int | None, typer.Option(help="Most steps, more than it has now.")] = None,
    max_time: Annotated[float | None, typer.Option(help="Latest time of a flow, later than it has now.")] = None,
    loss_below: Annotated[float | None, typer.Option(help="A lower limit of the loss.")] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Let a run go on: it then equals one that asked for as much from the start."""
    with Rankward(url, api_key) as client:
        longer = client.extend(run, max_steps=max_steps, max_time=max_time, loss_below=loss_below)
    _console.print(f"Run {run} is {longer['status']} at step {longer['step']:,}.")


def _submit(
    client: Rankward, spec: dict[str, Any], wait: bool, as_json: bool, figure: Path | None = None, kind: str = ""
) -> None:
    experiment = client.submit(spec)
    if wait:
        experiment = watch(client, experiment, quiet=as_json)
    if as_json:
        print_json(experiment)
    elif wait:
        _console.print(runs_table(list(client.runs(experiment["id"]))))
    else:
        _console.print(
            f"Experiment {experiment['id']} with {experiment['runs']['total']} runs is {experiment['status']}."
        )
    if wait and figure is not None:
        figure.write_bytes(client.figure(experiment["id"], kind, figure_format(figure)))
    if failed(experiment):
        raise typer.Exit(1)


def _read_spec(path: Path) -> dict[str, Any]:
    try:
        return YAML(typ="safe", pure=True).load(path.read_text())  # YAML 1.2, where 1e-3 is a number; JSON is YAML
    except OSError as error:
        raise UnreadableSpec(f"{path}: {error.strerror}.") from None
    except YAMLError as error:
        raise UnreadableSpec(f"{path} is neither YAML nor JSON: {error}") from None


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2))
