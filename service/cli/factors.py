"""The command that writes the factors of a run."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.clients import print_json
from service.cli.options import ApiKey, RunId, Url
from service.cli.tables import make_console
from service.client.api import Rankward
from service.client.calls import DEFAULT_URL
from service.values.visible import visible


def factors(
    run: RunId,
    step: Annotated[
        int | None, typer.Option(min=0, help="A step at which the run kept its factors.", show_default="as they stand")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.", show_default="RUN.npz or RUN_STEP.npz")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the steps that there are instead, as JSON.")] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Write the factors of a run as an .npz file; its arrays are factor_0, factor_1, ..., or have their names."""
    with Rankward(url, api_key) as client:
        if show:
            return print_json(client.factor_steps(run))
        path = output or Path(f"{run}.npz" if step is None else f"{run}_{step}.npz")
        path.write_bytes(client.factors(run, step))
    return make_console().print(f"Wrote {visible(str(path))}")
