"""The MCP server: its tools, what clients may assume of each, and errors as sentences."""

import json
from collections.abc import Callable
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any

from anyio import to_thread
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent, ToolAnnotations

from service.client.api import Rankward
from service.errors import RankwardError, title_of
from service.mcp.reading import Reading
from service.mcp.writing import Writing
from service.values.version import VERSION

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
SUBMITS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
CANCELS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
ABOUT = """Rankward runs experiments on implicit regularisation: gradient descent on factorised matrices and tensors.
An experiment is a base run and a sweep over its fields; a run has a spec, a trajectory of metrics and a summary.
To begin: list_presets, preset, describe_spec. Before an experiment is submitted, dry_run says what it costs.
Ids may be short: their last 8 characters."""
READ_ONLY = "This server only reads; `rankward mcp --allow-writes` has submit, wait and cancel, too."


def build(client: Rankward, allow_writes: bool = False) -> MCPServer[Any]:
    """A server over a client; it can submit, wait and cancel only where writes are allowed."""
    about = ABOUT if allow_writes else f"{ABOUT}\n{READ_ONLY}"
    server: MCPServer[Any] = MCPServer("rankward", instructions=about, version=VERSION, log_level="WARNING")
    for tool in Reading(client).tools():
        server.add_tool(_in_words(tool), annotations=READS)
    if allow_writes:
        writing = Writing(client)
        for tool, annotations in ((writing.submit, SUBMITS), (writing.wait, READS), (writing.cancel, CANCELS)):
            server.add_tool(_in_words(tool), annotations=annotations)
    return server


def _in_words(tool: Callable[..., Any]) -> Callable[..., Any]:
    """A tool whose objects come on one line, and whose known errors have the sentences of the command line."""

    @wraps(tool)
    async def run(*arguments: Any, **options: Any) -> Any:
        try:
            said = await _called(partial(tool, *arguments, **options))
        except RankwardError as error:
            raise ToolError(f"{title_of(error)}. {error.detail}") from None
        if not isinstance(said, dict):
            return said
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))  # the SDK has a line for each number
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=said)

    return run


async def _called(tool: Callable[[], Any]) -> Any:
    """What a tool answers; one that asks the service and waits for it does so in a thread."""
    return await (tool() if iscoroutinefunction(tool) else to_thread.run_sync(tool))
