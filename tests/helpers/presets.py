"""Presets, run over HTTP."""

from typing import Any

from tests.helpers.servers import Server


def finished(server: Server, preset: str) -> list[dict[str, Any]]:
    """The runs of a preset, which must succeed, once they are over."""
    experiment = server.client.submit(server.client.preset(preset))
    assert server.client.wait(experiment["id"])["status"] == "succeeded"
    return list(server.client.runs(experiment["id"]))
