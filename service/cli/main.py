"""The entry: all commands, and errors as sentences instead of tracebacks."""

import sys
from io import TextIOWrapper

import typer
from rich.text import Text

from service.cli import (
    archives,
    clients,
    cluster,
    export,
    factors,
    figures,
    keys,
    mcp,
    metrics,
    queries,
    reproduce,
    roles,
    settings,
)
from service.cli.sides import of_client, of_server
from service.cli.tables import make_console
from service.errors import RankwardError, sentences_of
from service.values.visible import visible_lines

app = typer.Typer(
    help="Implicit-regularisation experiments: descent on factorised models, trajectories in SQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (roles.serve, roles.api, roles.dispatcher, roles.migrate, roles.compact, roles.demo):
    app.command()(of_server(command))
for command in (cluster.scheduler, cluster.worker, cluster.certificates):
    app.command()(of_server(command))
for command in (clients.submit, clients.run, clients.wait, clients.cancel, clients.retry, clients.extend):
    app.command()(of_client(command))
for command in (queries.presets, queries.runs, queries.experiments, queries.summary, export.export):
    app.command()(of_client(command))
for command in (figures.figure, factors.factors, reproduce.reproduce):
    app.command()(of_client(command))
app.command()(of_client(mcp.mcp))
for name, command in {"archive": archives.archive, "import": archives.import_archives, "prune": archives.prune}.items():
    app.command(name)(of_client(command))
app.command("open")(of_client(clients.open_page))
app.command("metrics")(of_client(metrics.show_metrics))
app.command("settings")(of_server(settings.show_settings))
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command line; a known error ends it with its sentence and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may hold what the terminal has no letters for
    try:
        app()
    except (RankwardError, OSError) as error:
        _end(*sentences_of(error))


def _end(title: str, detail: str) -> None:
    said = Text.assemble((f"{title}.", "bold red"), " ", visible_lines(detail))
    make_console(stderr=True).print(said)
    sys.exit(1)
