"""A Python client of the HTTP API; the command line is built on it.

It needs nothing heavy; `trajectories` and `run_table` need pyarrow, which `rankward[arrow]` brings.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from service.client.calls import Calls, Json, Names, given, list_request, listed, pieces
from service.client.plain import NotJson, plain
from service.client.progress import experiment_bar
from service.client.transport import SILENT, ServerSaidNo, ServerUnreachable
from service.exports.arrow_types import Table
from service.values.extras import NotInstalled

__all__ = ["Json", "NotInstalled", "NotJson", "Rankward", "ServerSaidNo", "ServerUnreachable"]

Format = Literal["json", "csv", "ndjson", "arrow", "parquet"]
POLL_SECONDS = 0.3
RUNS_PER_PAGE = 1000
ID_CHARACTERS = 36
PARQUET = "application/vnd.apache.parquet"
_log = logging.getLogger("rankward")


_FIGURE_PARAMETERS = {"others": "with"}


class Rankward(Calls):
    """Talks to a Rankward server; a context manager that closes its connections.

    Requests are repeated when the server cannot be reached or is busy; a submission carries a key, so that it is stored
    once. Refusals are ServerSaidNo, silence is ServerUnreachable. Values may be those of numpy, pandas and the standard
    library; what JSON cannot carry is NotJson, before anything is sent. Ids may be short: their last
    8 characters or more, or their first ones, where no other id has them.

    Args:
        url: where it listens, http://127.0.0.1:8000 by default.
        api_key: sent as a bearer token; the variable RANKWARD_API_KEY when not given, none when that is not set.
    """

    # Experiments

    def submit(self, experiment: Mapping[str, Any], key: str | None = None) -> Json:
        """Post an experiment; returns it as stored. The same `key` and experiment are stored once."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return self._json("POST", "/v1/experiments", json=plain(experiment), headers=headers, repeatable=True)

    def dry_run(self, experiment: Mapping[str, Any]) -> Json:
        """Number of runs and the cost of an experiment."""
        return self._json("POST", "/v1/experiments?dry_run=true", json=plain(experiment), repeatable=True)

    def experiment(self, experiment_id: str) -> Json:
        """One experiment."""
        return self._json("GET", f"/v1/experiments/{experiment_id}")

    def experiments(self, where: str | None = None, order_by: Names = None) -> Iterator[Json]:
        """All experiments, or those that `where` says, page by page, newest first."""
        return self._pages("/v1/experiments", where=where, order_by=listed(order_by))

    def wait(
        self,
        experiment_id: str,
        on_progress: Callable[[Json], None] | None = None,
        progress: bool = False,
        on_silence: Callable[[str], None] | None = None,
    ) -> Json:
        """Wait until every run of an experiment is over; returns it as it ended.

        A server that has answered before and then stops is waited for, for as long as it takes.

        Args:
            on_progress: sees the experiment as it goes.
            progress: show a bar on standard error.
            on_silence: takes a sentence when the server stops answering and when it is back; a warning of the logger
                `rankward` when not given.
        """
        if progress:
            experiment = self._answered(experiment_id, on_silence or _log.warning)
            with experiment_bar(experiment["name"] or experiment_id, experiment["runs"]["total"]) as bar:
                return self.wait(experiment_id, bar.show, on_silence=on_silence or bar.say)
        while True:
            experiment = self._answered(experiment_id, on_silence or _log.warning)
            if on_progress is not None:
                on_progress(experiment)
            if experiment["status"] not in ("queued", "running"):
                return experiment
            time.sleep(POLL_SECONDS)

    def _answered(self, experiment_id: str, say: Callable[[str], None]) -> Json:
        """An experiment, from a server that may be away for a while."""
        is_away = False
        while True:
            try:
                experiment = self.experiment(experiment_id)
            except (ServerUnreachable, ServerSaidNo) as error:
                if not self._transport.has_answered:
                    raise
                if isinstance(error, ServerSaidNo) and error.problem.get("status") not in SILENT:
                    raise
                if not is_away:
                    say(f"The server at {self.url} does not answer; waiting until it is back. Nothing is lost.")
                is_away = True
            else:
                if is_away:
                    say(f"The server at {self.url} is back.")
                return experiment

    def cancel(self, experiment_id: str) -> Json:
        """Cancel the runs of an experiment that are not over."""
        return self._json("POST", f"/v1/experiments/{experiment_id}/cancel", repeatable=True)

    def change(self, experiment_id: str, **changes: Any) -> Json:
        """Change name, tags or priority of an experiment; other tags stay, and None removes."""
        patch = {name: plain(value, (name,)) for name, value in changes.items()}
        return self._json("PATCH", f"/v1/experiments/{experiment_id}", json=patch, repeatable=True)

    def delete(self, experiment_id: str) -> None:
        """Delete an experiment with its runs and trajectories.

        The whole id is found out first: sent again, a short one might stand for another experiment by then.
        """
        whole = self.experiment(experiment_id)["id"] if len(experiment_id) < ID_CHARACTERS else experiment_id
        self._transport.request("DELETE", f"/v1/experiments/{whole}")

    def summary(
        self, experiment_id: str, metric: Names = "loss", group_by: Names = None, where: str | None = None
    ) -> list[Json]:
        """Count, minimum, quartiles and maximum of metrics' last values for each group of runs."""
        wanted = given(metric=listed(metric), group_by=listed(group_by), where=where)
        return self._json("GET", f"/v1/experiments/{experiment_id}/summary", params=wanted)["items"]

    def curves(
        self, experiment_id: str, metric: str = "loss", x: str = "step", group_by: Names = None, **parameters: Any
    ) -> list[Json]:
        """Quantile curves of a metric along steps, time or loss for each group of runs."""
        wanted = given(metric=metric, x=x, group_by=listed(group_by), **parameters)
        return self._json("GET", f"/v1/experiments/{experiment_id}/curves", params=wanted)["items"]

    def runs(
        self,
        experiment_id: str | None = None,
        status: str | None = None,
        where: str | None = None,
        order_by: Names = None,
        fields: Names = None,
        page_size: int = RUNS_PER_PAGE,
    ) -> Iterator[Json]:
        """All runs, or those of one experiment, in one status, or that `where` says, page by page.

        Args:
            order_by: e.g. "summary.loss desc, created_at"; the order of submission when left out.
            fields: e.g. ["id", "model.depth", "summary.loss"]; whole runs when left out.
        """
        wanted = {"experiment_id": experiment_id, "status": status, "where": where, "limit": page_size}
        return self._pages("/v1/runs", **wanted, order_by=listed(order_by), fields=listed(fields))

    def run(self, run_id: str) -> Json:
        """One run."""
        return self._json("GET", f"/v1/runs/{run_id}")

    def cancel_run(self, run_id: str) -> Json:
        """Cancel a run unless it is over."""
        return self._json("POST", f"/v1/runs/{run_id}/cancel", repeatable=True)

    def retry(self, run_id: str) -> Json:
        """Run a failed or cancelled run again."""
        return self._json("POST", f"/v1/runs/{run_id}/retry")

    def retry_experiment(self, experiment_id: str) -> Json:
        """Run the failed and cancelled runs of an experiment again."""
        return self._json("POST", f"/v1/experiments/{experiment_id}/retry")

    def extend(
        self,
        run_id: str,
        max_steps: int | None = None,
        loss_below: float | None = None,
        max_time: float | None = None,
    ) -> Json:
        """Let a run go on from its checkpoint to new limits; a flow's is its time."""
        limits = given(max_steps=max_steps, loss_below=loss_below, max_time=max_time)
        return self._json("POST", f"/v1/runs/{run_id}/extend", json=limits, repeatable=True)

    def trajectory(self, run_id: str, **parameters: Any) -> Json:
        """Recorded points of a run as columns."""
        return self._json("GET", f"/v1/runs/{run_id}/trajectory", params=given(**parameters))

    def theory(self, run_id: str) -> Json:
        """What theory says of a run, point by point, and whether it did."""
        return self._json("GET", f"/v1/runs/{run_id}/theory")

    def factors(self, run_id: str, step: int | None = None) -> bytes:
        """The factors of a run as the content of an .npz file, which `numpy.load(io.BytesIO(...))` reads.

        Its arrays are factor_0, factor_1, ..., or have the names of a contraction's factors: as they stand, or as
        `record.factors` had them kept at a step.
        """
        return self._transport.request("GET", f"/v1/runs/{run_id}/factors", params=given(step=step)).content

    def factor_steps(self, run_id: str) -> list[int]:
        """The steps of which a run has a snapshot of its factors; of a flow, the numbers of points."""
        return self._json("GET", f"/v1/runs/{run_id}/factors/steps")["steps"]

    # Tables

    def trajectories(
        self,
        where: str | None = None,
        metrics: Names = None,
        experiment_id: str | None = None,
        max_points: int | None = None,
    ) -> Table:
        """Points of all selected runs as an Arrow table of run_id, step, time and metrics; see its `to_pandas`.

        Raises NotInstalled without pyarrow, as `run_table` does.
        """
        wanted = {"where": where, "metrics": listed(metrics), "experiment_id": experiment_id, "max_points": max_points}
        return self._table("/v1/trajectories", **wanted)

    def run_table(self, where: str | None = None, fields: Names = None, experiment_id: str | None = None) -> Table:
        """All selected runs as an Arrow table of the named fields, of specs and summaries when left out."""
        return self._table("/v1/runs", where=where, fields=listed(fields), experiment_id=experiment_id)

    def size(self, experiment_id: str) -> Json:
        """Runs and points of an experiment, and about how many bytes they take."""
        return self._json("GET", f"/v1/experiments/{experiment_id}/size")

    def archive(self, experiment_id: str, file: Path) -> int:
        """Write an experiment that is over to a Parquet file with all that its runs left; returns its bytes."""
        return self._write(file, "GET", f"/v1/experiments/{experiment_id}/archive")

    def import_archive(self, file: Path) -> Json:
        """Store the experiment of an archive again, with its ids; `is_new` says whether it was not there already."""
        with file.open("rb") as content:
            headers = {"Content-Length": str(file.stat().st_size), "Content-Type": PARQUET}
            return self._json("POST", "/v1/experiments/import", content=pieces(content), headers=headers)

    def export(self, what: Literal["runs", "trajectories"], format: Format, file: Path, **parameters: Any) -> int:
        """Write a table to a file as it comes; returns its bytes. Takes the parameters of /v1/runs or /v1/trajectories.

        The file is there only when all of it has come.
        """
        method, path, query = list_request(f"/v1/{what}", given(format=format, **parameters))
        return self._write(file, method, path, **query)

    # Presets

    def presets(self) -> list[Json]:
        """The presets that the server has."""
        return self._json("GET", "/v1/presets")["items"]

    def preset(self, name: str) -> Json:
        """A preset, ready to submit."""
        return self._json("GET", f"/v1/presets/{name}")

    def openapi(self) -> Json:
        """The OpenAPI document: every call, and the JSON schema of experiments and runs."""
        return self._json("GET", "/openapi.json")

    # Figures

    def figures(self, experiment_id: str) -> Json:
        """The figures that can be drawn of an experiment: `default` names the one that shows it best."""
        return self._json("GET", f"/v1/experiments/{experiment_id}/figures")

    def figure(self, experiment_id: str, name: str, kind: str = "png", **parameters: Any) -> bytes:
        """A figure of an experiment as a file's content, by kind png, svg, or json for Plotly.

        The parameters are those of the query; experiments to compare with are `others`.
        """
        query = {_FIGURE_PARAMETERS.get(key, key): value for key, value in given(**parameters).items()}
        query = {key: listed(value) if isinstance(value, list) else value for key, value in query.items()}
        path = f"/v1/experiments/{experiment_id}/figures/{name}.{kind}"
        return self._transport.request("GET", path, params=query).content
