"""The entry: all commands, and errors as sentences instead of tracebacks."""

import sys

import typer
from rich.console import Console

from service.cli import clients, roles
from service.errors import RankwardError

app = typer.Typer(
    help="Implicit-regularisation experiments: descent on factorised models, trajectories in SQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (roles.serve, roles.api, roles.dispatcher, roles.migrate, roles.demo):
    app.command()(command)
for command in (clients.submit, clients.run, clients.runs, clients.presets, clients.figure, clients.cancel):
    app.command()(command)


def main() -> None:
    """Run the command line; a known error ends it with its sentence and exit status 1."""
    try:
        app()
    except RankwardError as error:
        title = (type(error).__doc__ or "Error").strip()
        Console(stderr=True, highlight=False).print(f"[bold red]{title}.[/] ", error.detail, sep="", soft_wrap=True)
        sys.exit(1)
