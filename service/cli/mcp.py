"""`rankward mcp`: the service for assistants, over standard input and output."""

import sys
from typing import Annotated

import typer

from service.cli.options import ApiKey, Url
from service.cli.tables import make_console
from service.client.api import Rankward
from service.client.calls import DEFAULT_URL
from service.values.extras import check_installed


def mcp(
    allow_writes: Annotated[
        bool, typer.Option("--allow-writes", help="Let it submit, wait for and cancel experiments, too.")
    ] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Serve assistants by the Model Context Protocol, on standard input and output."""
    check_installed("mcp", "This command")
    from service.mcp.server import build

    if sys.stdin.isatty():
        make_console(stderr=True).print(
            f"An assistant starts this command and speaks MCP with it (docs/mcp.md); it asks {url}. Ctrl-D ends it."
        )
    with Rankward(url, api_key) as client:
        build(client, allow_writes).run()
