"""The entry: all commands, and errors as sentences instead of tracebacks."""

import sys

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from service.cli import clients, cluster, figures, keys, metrics, queries, roles, settings
from service.errors import RankwardError

app = typer.Typer(
    help="Implicit-regularisation experiments: descent on factorised models, trajectories in SQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (roles.serve, roles.api, roles.dispatcher, roles.migrate, roles.demo):
    app.command()(command)
for command in (cluster.scheduler, cluster.worker, cluster.certificates):
    app.command()(command)
for command in (
    clients.submit,
    clients.run,
    clients.presets,
    figures.figure,
    clients.cancel,
    clients.retry,
    clients.extend,
):
    app.command()(command)
for command in (queries.runs, queries.experiments, queries.summary, queries.export):
    app.command()(command)
app.command("settings")(settings.show_settings)
app.command("metrics")(metrics.show_metrics)
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command line; a known error ends it with its sentence and exit status 1."""
    try:
        app()
    except RankwardError as error:
        _end(type(error).__doc__ or "Error", error.detail)
    except ValidationError as error:
        _end("A setting is not valid", "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors()))
    except OSError as error:
        _end("The system said no", f"{error.filename or ''} {error.strerror or error}")


def _end(title: str, detail: str) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[bold red]{title}.[/] ", escape(detail.strip()), sep="")
    sys.exit(1)
