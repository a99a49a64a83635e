"""What is asked of the API on a million runs, and what it took: see `benchmarks.million_runs`."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks.million_rows import SPEC
from benchmarks.query_speed import Api, MemoryWatch, best_of

TIMES = 3


@dataclass(frozen=True)
class Line:
    """A line of the table: what was asked, what it took, and how much of that was work, where others compute, too."""

    what: str
    took: str
    cpu: str = ""


class Asked:
    """An API on a filled database, and what is asked of it."""

    def __init__(self, api: Api, database_name: str) -> None:
        self._api, self._database_name = api, database_name
        self._drawn = self._listed("where=name LIKE '%25 200 points'&limit=1")[0]["id"]
        self._largest = self._listed("order_by=runs.total desc&limit=1")[0]["id"]

    def pages(self) -> Iterator[Line]:
        """Lists, counts and groups."""
        for what, query in _PAGES.items():
            yield self._timed(f"page of runs: {what}", f"/v1/runs?{query}")
        yield self._timed("page of runs: the 20th by loss, by its cursor", self._further(20))
        one = f"/v1/runs?experiment_id={self._largest}"
        yield self._timed("page of runs: of the largest experiment", one)
        yield self._timed("page of runs: of the largest experiment, by loss", f"{one}&order_by=summary.loss")
        for what, query in _EXPERIMENTS.items():
            yield self._timed(f"page of experiments: {what}", f"/v1/experiments?{query}")
        yield self._timed("the first HTML page", "/")
        yield self._timed("HTML page of the largest experiment", f"/experiments/{self._largest}")
        yield self._timed("counts of the largest experiment", f"/v1/experiments/{self._largest}")
        yield self._timed("runs by status (/metrics)", "/metrics", times=1)
        for what, query in _GROUPS.items():
            yield self._timed(f"largest experiment: {what}", f"/v1/experiments/{self._largest}/{query}", 2)

    def figures(self) -> Iterator[Line]:
        """What reads points, or specs of many runs."""
        for what, query in (_GROUPS | _CURVES).items():
            yield self._timed(f"10 000 runs of 200 points: {what}", f"/v1/experiments/{self._drawn}/{query}", 2)
        for figure in self._figures():
            yield self._watched(f"figure of 10 000 runs of 200 points: {figure}", self._figure(self._drawn, figure))
        for figure in ("metrics", "sweep", "compare"):
            yield self._watched(f"figure of the largest experiment: {figure}", self._figure(self._largest, figure))
        yield self._watched("Parquet of 2 million points of 10 000 runs", self._export("trajectories"))
        yield self._watched("Parquet of 10 000 runs", self._export("runs"))

    def delete(self) -> str:
        """Delete the largest experiment; its id."""
        self._api.http.delete(f"/v1/experiments/{self._largest}").raise_for_status()
        return self._largest

    def submit(self) -> None:
        """Store an experiment of one run."""
        self._api.http.post("/v1/experiments", json={"run": SPEC}).raise_for_status()

    def _timed(self, what: str, path: str, times: int = TIMES) -> Line:
        worked = self._cpu()
        seconds = best_of(times, lambda: self._api.http.get(path).raise_for_status())
        worked = (self._cpu() - worked) / times
        return Line(what, f"{seconds * 1e3:,.0f} ms", f"{worked * 1e3:,.0f} ms")

    def _cpu(self) -> float:
        """Processor time of the API, and of the sessions of PostgreSQL that serve it."""
        sessions = (process for process in psutil.process_iter(["cmdline"]) if self._serves(process))
        return self._api.cpu_now() + sum(sum(process.cpu_times()[:2]) for process in sessions)

    def _serves(self, process: psutil.Process) -> bool:
        title = " ".join(process.info["cmdline"] or ())
        return title.startswith("postgres: ") and f" {self._database_name} " in title

    def _watched(self, what: str, path: str) -> Line:
        """Time of a single answer, and how far the API's memory goes up meanwhile."""
        before, watch, worked = self._api.bytes_now(), MemoryWatch(self._api), self._cpu()
        began = time.perf_counter()
        watch.start()
        size = 0
        with self._api.http.stream("GET", path) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_raw():
                size += len(chunk)
        seconds, more = time.perf_counter() - began, watch.finish() - before
        said = f"{seconds:,.1f} s; {size / 2**20:,.1f} MiB, memory +{max(more, 0) / 2**20:,.0f} MiB"
        return Line(what, said, f"{self._cpu() - worked:,.1f} s")

    def _listed(self, query: str) -> list[dict[str, Any]]:
        return self._api.http.get(f"/v1/experiments?{query}").raise_for_status().json()["items"]

    def _further(self, pages: int) -> str:
        path = "/v1/runs?order_by=summary.loss"
        cursor = ""
        for _ in range(pages):
            cursor = self._api.http.get(f"{path}{cursor}").raise_for_status().json()["next"]
            cursor = f"&cursor={cursor}"
        return f"{path}{cursor}"

    def _figures(self) -> list[str]:
        listed = self._api.http.get(f"/v1/experiments/{self._drawn}/figures").raise_for_status().json()
        return [figure["name"] for figure in listed["items"]]

    def _figure(self, experiment_id: str, name: str) -> str:
        return f"/v1/experiments/{experiment_id}/figures/{name}.png"

    def _export(self, what: str) -> str:
        return f"/v1/{what}?format=parquet&experiment_id={self._drawn}"


_THREE = "where=model.depth >= 3 AND summary.loss < 1e-3 AND outcome = 'converged'"
_PAGES = {
    "the first": "",
    "three clauses": _THREE,
    "three clauses, by loss": f"{_THREE}&order_by=summary.loss",
    "three clauses, by loss, descending": f"{_THREE}&order_by=-summary.loss",
    "three clauses that hold of few runs": "where=summary.loss < 1e-9 AND summary.effective_rank < 1e-3 AND seed > 10",
    "three clauses that hold of none": "where=model.depth = 3 AND summary.loss < 1e-30 AND status = 'succeeded'",
    "three clauses with a tag": "where=tags.size = '10' AND model.depth = 3 AND summary.loss < 1e-3",
    "three clauses, one read from JSON": "where=record.points_per_decade > 50 AND model.depth = 3 AND seed=77",
    "failed runs": "status=failed",
    "failed runs, newest first": "where=status = 'failed'&order_by=-created_at",
    "newest first": "order_by=-created_at",
    "by two fields": "order_by=model.depth, -summary.effective_rank",
}
_EXPERIMENTS = {
    "the first": "",
    "a name": "where=name LIKE '10 r%'",
    "a status": "where=status = 'failed'",
    "by their runs": "order_by=runs.total desc",
    "those with failed runs": "where=runs.failed > 5",
}
_GROUPS = {
    "quartiles of loss": "summary?metric=loss",
    "quartiles of three metrics by depth and rate": (
        "summary?metric=loss,effective_rank,stable_rank&group_by=model.depth,optimizer.learning_rate"
    ),
    "quartiles by depth of the converged": "summary?group_by=model.depth&where=outcome = 'converged'",
}
_CURVES = {"curves of loss": "curves?metric=loss&places=50"}
