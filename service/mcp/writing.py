"""Tools that have the service do something; they are there only with `--allow-writes`."""

import time
from typing import Annotated, Any

from anyio import sleep, to_thread
from pydantic import Field

from service.client.api import POLL_SECONDS, Json, Rankward
from service.mcp.experiments import Experiment, Preset, chosen
from service.mcp.reading import ExperimentId

MOST_SECONDS = 600
"""A tool call that lasts longer is often given up by the client."""


class Writing:
    """Tools over a client."""

    def __init__(self, client: Rankward) -> None:
        self._client = client

    def submit(
        self,
        experiment: Experiment = None,
        preset: Preset = None,
        key: Annotated[
            str | None, Field(description="The same key and experiment are stored once, however often they come.")
        ] = None,
    ) -> Json:
        """Submit an experiment or a preset; it is computed in the background. dry_run says before what it costs."""
        return self._client.submit(chosen(self._client, experiment, preset), key)

    async def wait(
        self,
        experiment: ExperimentId,
        seconds: Annotated[float, Field(ge=0, le=MOST_SECONDS, description="The longest wait.")] = 30,
    ) -> Json:
        """Wait until every run of an experiment is over, or the time is; `is_over` says which. Then call it again."""
        until = time.monotonic() + seconds
        while True:
            now = await to_thread.run_sync(self._client.experiment, experiment)
            is_over = now["status"] not in ("queued", "running")
            if is_over or time.monotonic() >= until:
                return {**_short(now), "is_over": is_over}
            await sleep(min(POLL_SECONDS, max(until - time.monotonic(), 0)))

    def cancel(self, experiment: ExperimentId) -> Json:
        """Cancel the runs of an experiment that are not over; what they have computed stays."""
        return _short(self._client.cancel(experiment))


def _short(experiment: Json) -> dict[str, Any]:
    return {name: experiment[name] for name in ("id", "name", "status", "runs")}
