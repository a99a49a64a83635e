"""Waiting for an experiment: under a bar, through a server that comes back, until Ctrl-C."""

import sys

import typer

from service.cli.tables import make_console
from service.client.api import Json, Rankward
from service.client.calls import DEFAULT_URL

INTERRUPTED = 130
"""Exit status of a command that Ctrl-C ended, as shells have it: 128 and the number of SIGINT."""


def watch(client: Rankward, experiment: Json, quiet: bool = False) -> Json:
    """Wait for an experiment under a live bar on standard error; returns it as it ended.

    Ctrl-C ends the command and leaves the experiment running.
    """
    try:
        return client.wait(experiment["id"], progress=not quiet, on_silence=_say if quiet else None)
    except KeyboardInterrupt:
        where = "" if client.url == DEFAULT_URL else f" --url {client.url}"
        _say(f"Experiment {experiment['id']} goes on; come back with: rankward wait {experiment['id']}{where}")
        raise typer.Exit(INTERRUPTED) from None


def failed(experiment: Json) -> bool:
    """Whether any run of an experiment failed."""
    return experiment["runs"]["failed"] > 0


def say_it_is_stored(experiment: Json, to_stderr: bool) -> None:
    """The id first, so that it is there whatever comes; on standard error where the output is JSON."""
    runs = experiment["runs"]["total"]
    said = f"Experiment {experiment['id']} with {runs:,} {'run' if runs == 1 else 'runs'} is {experiment['status']}."
    make_console(stderr=to_stderr).print(said)
    (sys.stderr if to_stderr else sys.stdout).flush()


def _say(text: str) -> None:
    make_console(stderr=True).print(text)
