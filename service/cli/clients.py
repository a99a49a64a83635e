"""Commands that speak to a server."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML, YAMLError

from service.cli.show import failed, make_console, runs_table, watch
from service.client import DEFAULT_URL, Rankward
from service.errors import RankwardError

Url = Annotated[str, typer.Option(envvar="RANKWARD_URL", help="The server.")]
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
) -> None:
    """Post an experiment from a file."""
    with Rankward(url) as client:
        _submit(client, _read_spec(spec), wait, as_json)


def run(
    preset: Annotated[str, typer.Argument(help="Name of a preset; `rankward presets` lists them.")],
    wait: Wait = True,
    figure: Annotated[Path | None, typer.Option(help="PNG to write when all runs are over.")] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Run a preset and show what came out."""
    with Rankward(url) as client:
        spec = client.preset(preset)
        kinds = {one["name"]: one["figure"] for one in client.presets()}
        _submit(client, spec, wait, as_json, figure, kinds[preset])


def presets(as_json: AsJson = False, url: Url = DEFAULT_URL) -> None:
    """List the presets."""
    with Rankward(url) as client:
        found = client.presets()
    if as_json:
        return print_json(found)
    for preset in found:
        _console.print(f"[bold]{preset['name']}[/]  {preset['title']}. {preset['about']}")
    return None


def figure(
    experiment: Annotated[str, typer.Argument(help="Id of an experiment.")],
    name: Annotated[str, typer.Option(help="Which figure.")] = "unobserved_entry",
    output: Annotated[Path | None, typer.Option(help="File to write. [default: NAME.png]")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Write a figure of an experiment as PNG."""
    path = output or Path(f"{name}.png")
    with Rankward(url) as client:
        path.write_bytes(client.figure(experiment, name))
    _console.print(f"Wrote {path}")


def cancel(experiment: Annotated[str, typer.Argument(help="Id of an experiment.")], url: Url = DEFAULT_URL) -> None:
    """Cancel the runs of an experiment that are not over."""
    with Rankward(url) as client:
        counts = client.cancel(experiment)["runs"]
    _console.print(f"{counts['cancelled']} of {counts['total']} runs are cancelled.")


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
        figure.write_bytes(client.figure(experiment["id"], kind))
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
