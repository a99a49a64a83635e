"""Runs into a store of MLflow: parameters, metrics by step, tags and artifacts.

It needs mlflow-skinny and what its SQL stores take, which `rankward[mlflow]` brings. A run that is there already, as
far as it has come, is left alone: an export can be repeated, and goes on where it was broken off.
"""

import logging
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from service.client import mlflow_values as values
from service.client.api import Json, Rankward, ServerSaidNo
from service.errors import RankwardError
from service.values.extras import check_installed

METRICS_AT_ONCE, PARAMETERS_AT_ONCE = 1000, 100
"""The most that MLflow takes in one call."""
HAS_NO_FACTORS = (404, 409)
Item = TypeVar("Item")


class MlflowSaidNo(RankwardError):
    """MLflow refused"""


@dataclass(frozen=True)
class _Known:
    """A run in MLflow: its id there, and how far it had come."""

    id: str
    state: str


class MlflowExport:
    """Writes runs into a store of MLflow; runs of an experiment into an experiment of that name and id.

    Args:
        client: where the runs come from.
        tracking_uri: where they go, as MLflow takes it: sqlite:///FILE, another database, a tracking server.
        metrics: only these of trajectories, by commas; all when not given.
        max_points: thins each trajectory.

    Raises:
        NotInstalled: without mlflow-skinny.
        MlflowSaidNo: the store cannot be opened.
    """

    def __init__(
        self, client: Rankward, tracking_uri: str, metrics: str | None = None, max_points: int | None = None
    ) -> None:
        check_installed("mlflow", "An export to MLflow")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing but the store is to hear of it
        self._entities: Any = import_module("mlflow.entities")
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of every table that it makes
        self._client = client
        self._parameters = {"metrics": metrics, "max_points": max_points}
        self._experiments: dict[str, str] = {}
        self._known: dict[str, list[_Known]] = {}
        with _in_words():
            self._store: Any = import_module("mlflow").MlflowClient(tracking_uri)

    def add(self, run: Json) -> bool:
        """Write a run; returns whether it was not there yet, as far as it has come."""
        with _in_words():
            experiment = self._experiment(run["experiment_id"])
            known, state = self._known.get(run["id"], []), values.state(run)
            is_new = all(one.state != state for one in known)
            if is_new:
                self._write(experiment, run)
            for one in known:
                if one.state != state:
                    self._store.delete_run(one.id)
        return is_new

    def _write(self, experiment: str, run: Json) -> None:
        """The tag with its state comes last: a run without it is written again by the next export."""
        begun = values.milliseconds(run["started_at"] or run["created_at"])
        name = f"{run['index']} {run['id'][-8:]}"
        made = self._store.create_run(experiment, begun, values.tags(run), run_name=name).info.run_id
        parameters = (self._entities.Param(key, text) for key, text in values.parameters(run["spec"]))
        for some in _in_parts(parameters, PARAMETERS_AT_ONCE):
            self._store.log_batch(made, params=some)
        for some in _in_parts(self._metrics(run, begun), METRICS_AT_ONCE):
            self._store.log_batch(made, metrics=some)
        self._store.log_dict(made, run, "run.json")
        self._keep_factors(made, run["id"])
        end = run["finished_at"]
        self._store.set_terminated(made, values.STATUSES[run["status"]], end and values.milliseconds(end))
        self._store.set_tag(made, values.STATE_TAG, values.state(run))

    def _metrics(self, run: Json, moment: int) -> Iterator[Any]:
        """Every number of the trajectory, then those of the summary that it does not have."""
        columns = self._client.trajectory(run["id"], **self._parameters)["columns"]
        steps = columns.pop("step")
        for name, column in columns.items():
            for step, value in zip(steps, column, strict=True):
                for key, number in values.numbers(name, value):
                    yield self._entities.Metric(key, number, moment, step)
        rest = {name: value for name, value in (run["summary"] or {}).items() if name not in columns}
        for key, number in values.numbers("summary", rest):
            yield self._entities.Metric(key, number, moment, run["step"])

    def _keep_factors(self, made: str, run_id: str) -> None:
        """Factors as they stand, where the run has some."""
        try:
            content = self._client.factors(run_id)
        except ServerSaidNo as refused:
            if refused.problem.get("status") in HAS_NO_FACTORS:
                return
            raise
        with TemporaryDirectory() as folder:
            path = Path(folder) / "factors.npz"
            path.write_bytes(content)
            self._store.log_artifact(made, str(path))

    def _experiment(self, experiment_id: str) -> str:
        """The experiment of MLflow for runs of this one, made where there is none; looks up its runs once."""
        if experiment_id not in self._experiments:
            same = self._store.search_experiments(filter_string=f"tags.`{values.EXPERIMENT_TAG}` = '{experiment_id}'")
            made = same[0].experiment_id if same else self._make_experiment(experiment_id)
            for run_id, known in self._runs_in(made):
                self._known.setdefault(run_id, []).append(known)
            self._experiments[experiment_id] = made
        return self._experiments[experiment_id]

    def _make_experiment(self, experiment_id: str) -> str:
        experiment = self._client.experiment(experiment_id)
        tags = {values.name(key): text for key, text in experiment["tags"].items()}
        name = f"{values.name(experiment['name']) or 'experiment'} {experiment_id[-8:]}"
        return self._store.create_experiment(name, tags={**tags, values.EXPERIMENT_TAG: experiment_id})

    def _runs_in(self, experiment: str) -> Iterator[tuple[str, _Known]]:
        token = None
        while True:
            page = self._store.search_runs([experiment], page_token=token)
            for run in page:
                tags = run.data.tags
                if values.RUN_TAG in tags:
                    yield tags[values.RUN_TAG], _Known(run.info.run_id, tags.get(values.STATE_TAG, ""))
            token = page.token
            if not token:
                return


@contextmanager
def _in_words() -> Generator[None]:
    """MLflow's exceptions as errors of Rankward, which the command line prints as sentences."""
    try:
        yield
    except import_module("mlflow.exceptions").MlflowException as error:
        raise MlflowSaidNo(str(error)) from None


def _in_parts(items: Iterable[Item], most: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while part := list(islice(iterator, most)):
        yield part
