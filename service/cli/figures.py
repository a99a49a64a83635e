"""The command that writes figures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.completion import figure_names
from service.cli.options import ApiKey, ExperimentId, Url
from service.cli.tables import Column, make_console, print_table
from service.client.api import Rankward
from service.client.calls import DEFAULT_URL
from service.errors import RankwardError
from service.values.visible import visible

FORMATS = ("png", "svg", "json")


class UnknownFormat(RankwardError):
    """Figures have no such format"""


def figure(
    experiment: ExperimentId,
    name: Annotated[
        str | None,
        typer.Argument(help="Which figure.", show_default="the one that shows it best", autocompletion=figure_names),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write: .png, .svg, .json.", show_default="NAME.png")
    ] = None,
    metrics: Annotated[str | None, typer.Option(help="Metrics to draw, by commas.")] = None,
    metric: Annotated[str | None, typer.Option(help="The metric of a sweep or a comparison.")] = None,
    x: Annotated[str | None, typer.Option(help="step, time or loss; of a sweep, a path such as model.depth.")] = None,
    y: Annotated[str | None, typer.Option(help="Of a sweep, a path such as optimizer.learning_rate.")] = None,
    x_scale: Annotated[str | None, typer.Option(help="linear or log.")] = None,
    others: Annotated[
        str | None, typer.Option("--with", help="Ids to compare with, whole or short, by commas.")
    ] = None,
    width: Annotated[str | None, typer.Option(help="Pixels, 96 to an inch; or column, or page.")] = None,
    scale: Annotated[float | None, typer.Option(help="Pixels of a PNG for each of its width.")] = None,
    theme: Annotated[str | None, typer.Option(help="light or dark.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List the figures that there are instead.")] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Write a figure of an experiment as PNG, SVG or Plotly JSON, by the ending of the file."""
    parameters = {"metrics": metrics, "metric": metric, "x": x, "y": y, "x_scale": x_scale, "others": others}
    with Rankward(url, api_key) as client:
        if show:
            return _list_figures(client.figures(experiment))
        name = name or str(client.figures(experiment)["default"])
        path = output or Path(f"{name}.png")
        drawn = client.figure(
            experiment, name, figure_format(path), **parameters, width=width, scale=scale, theme=theme
        )
        path.write_bytes(drawn)
    return make_console().print(f"Wrote {visible(str(path))}")


def figure_format(path: Path) -> str:
    """The format of a figure's file by its ending; raises UnknownFormat."""
    ending = path.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        raise UnknownFormat(f"{path} should end in one of {', '.join(f'.{known}' for known in FORMATS)}.")
    return ending


def _list_figures(listed: dict[str, Any]) -> None:
    items = listed["items"]
    names = [item["name"] + (" (default)" if item["name"] == listed["default"] else "") for item in items]
    titles = [item["title"] for item in items]
    takes = [", ".join(item["parameters"]) for item in items]
    print_table(
        [Column("name", names), Column("title", titles, 1, 20, wraps=True), Column("takes", takes, 2, 20, wraps=True)]
    )
