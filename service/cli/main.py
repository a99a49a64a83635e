"""The entry: all commands, and errors as sentences instead of tracebacks."""

import os
import sys
from io import TextIOWrapper

import structlog
import typer
from pydantic import ValidationError
from rich.text import Text

from service.cli import clients, cluster, factors, figures, keys, metrics, queries, roles, settings
from service.cli.tables import make_console
from service.errors import RankwardError
from service.processes import logs
from service.processes.strange_variables import strange_variables
from service.values.visible import visible_lines

app = typer.Typer(
    help="Implicit-regularisation experiments: descent on factorised models, trajectories in SQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (roles.serve, roles.api, roles.dispatcher, roles.migrate, roles.compact, roles.demo):
    app.command()(command)
for command in (cluster.scheduler, cluster.worker, cluster.certificates):
    app.command()(command)
for command in (
    clients.submit,
    clients.run,
    clients.wait,
    figures.figure,
    factors.factors,
    clients.cancel,
    clients.retry,
    clients.extend,
):
    app.command()(command)
for command in (queries.presets, queries.runs, queries.experiments, queries.summary, queries.export):
    app.command()(command)
app.command("open")(clients.open_page)
app.command("settings")(settings.show_settings)
app.command("metrics")(metrics.show_metrics)
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command line; a known error ends it with its sentence and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may hold what the terminal has no letters for
    _warn_of_strange_variables()
    try:
        app()
    except RankwardError as error:
        _end((type(error).__doc__ or "Error").partition("\n")[0], error.detail)
    except ValidationError as error:
        _end(
            "A setting is not valid", "; ".join(f"{mistake['loc'][0]}: {mistake['msg']}" for mistake in error.errors())
        )
    except OSError as error:
        _end("The system said no", f"{error.filename or ''} {error.strerror or error}")


def _warn_of_strange_variables() -> None:
    """A line of the log for each variable that is a mistyped setting; `serve` says it for its children."""
    strange = [] if "--lifeline" in sys.argv else list(strange_variables(os.environ))
    if not strange:
        return
    logs.configure("rankward")
    for name, meant in strange:
        advice = {} if meant is None else {"did_you_mean": meant}
        structlog.get_logger(__name__).warning("a variable is no setting and changes nothing", variable=name, **advice)


def _end(title: str, detail: str) -> None:
    said = Text.assemble((f"{title}.", "bold red"), " ", visible_lines(detail.strip()))
    make_console(stderr=True).print(said)
    sys.exit(1)
