"""The two sides of the command line: commands of the client, and those that need the server, an extra of its own."""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

from service.cli.tables import make_console
from service.processes.strange_variables import strange_variables
from service.values.extras import check_installed
from service.values.visible import visible

Command = Callable[..., None]


def of_client(command: Command) -> Command:
    """A command that needs a server somewhere, and no part of it here."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        for name, meant in strange_variables(os.environ):
            advice = f"; did you mean {meant}?" if meant else "."
            make_console(stderr=True).print(f"The variable {visible(name)} is no setting and changes nothing{advice}")
        command(*arguments, **options)

    return run


def of_server(command: Command) -> Command:
    """A command that needs what `rankward[server]` brings; raises NotInstalled without it."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        check_installed("server", "This command")
        _log_strange_variables()
        command(*arguments, **options)

    return run


def _log_strange_variables() -> None:
    """A line of the log for each variable that is a mistyped setting."""
    strange = list(strange_variables(os.environ))
    if not strange:
        return
    import structlog

    from service.processes import logs

    logs.configure("rankward")
    for name, meant in strange:
        advice = {} if meant is None else {"did_you_mean": meant}
        structlog.get_logger(__name__).warning("a variable is no setting and changes nothing", variable=name, **advice)
