"""A Python client of the HTTP API; the command line is built on it."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx2

from service.errors import RankwardError
from service.ids import new_id

Json = dict[str, Any]
POLL_SECONDS = 0.3
TRIES = 5
"""How often a request is tried when the server cannot be reached; submissions carry a key, so none is stored twice."""


class ServerSaidNo(RankwardError):
    """The server refused the request"""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        lines = [f"{error['pointer'] or '/'}: {error['detail']}" for error in problem.get("errors") or []]
        super().__init__("\n".join(lines) or str(problem.get("detail", problem)))
        self.problem = problem


class ServerUnreachable(RankwardError):
    """No server answers"""


class Rankward:
    """Talks to a Rankward server.

    Args:
        url: where it listens, http://127.0.0.1:8000 by default.
    """

    def __init__(self, url: str = "http://127.0.0.1:8000") -> None:
        self.url = url
        self._http = httpx2.Client(base_url=url, timeout=60)

    def close(self) -> None:
        """Close the connections; a client is a context manager that does so."""
        self._http.close()

    def __enter__(self) -> "Rankward":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, experiment: Mapping[str, Any]) -> Json:
        """Post an experiment; returns it as stored."""
        return self._json("POST", "/v1/experiments", json=experiment, headers={"Idempotency-Key": new_id()})

    def dry_run(self, experiment: Mapping[str, Any]) -> Json:
        """Number of runs and the cost of an experiment."""
        return self._json("POST", "/v1/experiments?dry_run=true", json=experiment)

    def experiment(self, experiment_id: str) -> Json:
        """One experiment."""
        return self._json("GET", f"/v1/experiments/{experiment_id}")

    def wait(self, experiment_id: str, on_progress: Callable[[Json], None] = lambda _: None) -> Json:
        """Wait until every run of an experiment is over; `on_progress` sees it as it goes."""
        while True:
            experiment = self.experiment(experiment_id)
            on_progress(experiment)
            if experiment["status"] not in ("queued", "running"):
                return experiment
            time.sleep(POLL_SECONDS)

    def cancel(self, experiment_id: str) -> Json:
        """Cancel the runs of an experiment that are not over."""
        return self._json("POST", f"/v1/experiments/{experiment_id}/cancel")

    def runs(self, experiment_id: str | None = None, status: str | None = None) -> Iterator[Json]:
        """All runs, or those of one experiment or in one status, page by page."""
        wanted = {"experiment_id": experiment_id, "status": status, "cursor": None, "limit": 1000}
        while True:
            page = self._json("GET", "/v1/runs", params={k: v for k, v in wanted.items() if v is not None})
            yield from page["items"]
            if page["next"] is None:
                return
            wanted["cursor"] = page["next"]

    def trajectory(self, run_id: str, **parameters: Any) -> Json:
        """Recorded points of a run as columns."""
        return self._json("GET", f"/v1/runs/{run_id}/trajectory", params=parameters)

    def theory(self, run_id: str) -> Json:
        """What theory says of a run, point by point, and whether it did."""
        return self._json("GET", f"/v1/runs/{run_id}/theory")

    def presets(self) -> list[Json]:
        """The presets that the server has."""
        return self._json("GET", "/v1/presets")["items"]

    def preset(self, name: str) -> Json:
        """A preset, ready to submit."""
        return self._json("GET", f"/v1/presets/{name}")

    def figures(self, experiment_id: str) -> Json:
        """The figures that can be drawn of an experiment: `default` names the one that shows it best."""
        return self._json("GET", f"/v1/experiments/{experiment_id}/figures")

    def figure(self, experiment_id: str, name: str, kind: str = "png", **parameters: Any) -> bytes:
        """A figure of an experiment as a file's content, by kind png, svg, or json for Plotly.

        The parameters are those of the query; experiments to compare with are `others`.
        """
        asked = {"with" if key == "others" else key: value for key, value in parameters.items() if value is not None}
        return self._request("GET", f"/v1/experiments/{experiment_id}/figures/{name}.{kind}", params=asked).content

    def _json(self, method: str, path: str, **arguments: Any) -> Any:
        return self._request(method, path, **arguments).json()

    def _request(self, method: str, path: str, **arguments: Any) -> httpx2.Response:
        for left in reversed(range(TRIES)):
            try:
                response = self._http.request(method, path, **arguments)
            except httpx2.TransportError as error:
                if not left:
                    raise ServerUnreachable(
                        f"No server answers at {self.url} ({error}); start one with `rankward serve`, or give --url."
                    ) from None
                time.sleep(0.5)
                continue
            if response.is_error:
                raise ServerSaidNo(_problem(response))
            return response
        raise AssertionError("unreachable")


def _problem(response: httpx2.Response) -> Mapping[str, Any]:
    try:
        return response.json()
    except ValueError:
        return {"detail": f"The server answered {response.status_code}: {response.text[:200]}"}
