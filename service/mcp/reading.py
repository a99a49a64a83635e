"""Tools that only read. What they answer is short: an assistant pays for every number that it is given."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Image
from pydantic import Field

from service.client.api import Json, Rankward
from service.mcp.experiments import Experiment, Preset, chosen
from service.mcp.spec_language import describe

MOST_LISTED = 200
MOST_POINTS = 500
POINTS_OF_THEORY = 12
FIELDS = (
    "id",
    "experiment_id",
    "status",
    "outcome",
    "step",
    "problem.kind",
    "model.kind",
    "model.depth",
    "optimizer.kind",
    "optimizer.learning_rate",
    "seed",
    "summary.loss",
    "error",
)
"""Of a run in a list where nothing else is asked for."""
PIXELS = 640
"""Width of a figure: its texts can be read, and it is cheap to look at."""

Where = Annotated[
    str | None,
    Field(
        description="Only these: comparisons of fields with =, !=, <, <=, >, >=, IN, LIKE, IS NULL, joined by AND, OR, "
        "NOT. Fields are those of the object, of the spec and of the summary, e.g. "
        "\"status = 'succeeded' AND model.depth >= 3 AND summary.loss < 1e-4 AND tags.paper = '2005.06398'\"."
    ),
]
OrderBy = Annotated[str | None, Field(description='Fields to sort by, e.g. "summary.loss desc, seed".')]
Limit = Annotated[int, Field(ge=1, le=MOST_LISTED, description="The most items.")]
ExperimentId = Annotated[str, Field(description="Id of an experiment, whole or its last 8 characters.")]
RunId = Annotated[str, Field(description="Id of a run, whole or its last 8 characters.")]
Names = Annotated[list[str] | None, Field(description="Names of metrics; all that apply, but vectors, when left out.")]


class Reading:
    """Tools over a client."""

    def __init__(self, client: Rankward) -> None:
        self._client = client

    def tools(self) -> tuple[Callable[..., Any], ...]:
        """All of them."""
        return (
            self.list_presets,
            self.preset,
            self.describe_spec,
            self.dry_run,
            self.list_experiments,
            self.experiment,
            self.query_runs,
            self.run,
            self.summary,
            self.trajectory,
            self.theory,
            self.list_figures,
            self.figure,
        )

    def list_presets(self) -> Json:
        """List the presets, experiments of the field that are ready to run; `preset` says what each shows."""
        return {"items": [{"name": one["name"], "title": one["title"]} for one in self._client.presets()]}

    def preset(self, name: Annotated[str, Field(description="A name that list_presets has.")]) -> Json:
        """Get a preset: what it shows, its source, and its experiment, which is also a pattern to write others."""
        experiment = self._client.preset(name)
        about = next(one for one in self._client.presets() if one["name"] == name)
        return {**about, "experiment": experiment}

    def describe_spec(
        self,
        part: Annotated[
            str | None,
            Field(
                description="A part of a run (problem, model, init, optimizer, loss, stop, record, phases), a kind "
                "(adam, deep_matrix) or `experiment`; an outline of all of it when left out."
            ),
        ] = None,
    ) -> Json:
        """Describe the language of experiments and runs: which fields and kinds there are, and their JSON schema."""
        return describe(self._client.openapi(), part)

    def dry_run(self, experiment: Experiment = None, preset: Preset = None) -> Json:
        """Check an experiment, and count its runs, steps and points; stores nothing. Mistakes have JSON pointers."""
        return self._client.dry_run(chosen(self._client, experiment, preset))

    def list_experiments(self, where: Where = None, order_by: OrderBy = None, limit: Limit = 20) -> Json:
        """List experiments, newest first: their ids, names, tags and how many of their runs are over."""
        return _listed(self._client.experiments(where, order_by), limit)

    def experiment(self, experiment: ExperimentId) -> Json:
        """Get an experiment: its status, the counts of its runs, and what was submitted."""
        return self._client.experiment(experiment)

    def query_runs(
        self,
        where: Where = None,
        experiment: Annotated[str | None, Field(description="Only runs of this experiment.")] = None,
        order_by: OrderBy = None,
        fields: Annotated[
            list[str] | None,
            Field(description="Fields of each run, e.g. model.depth, init.std, summary.effective_rank."),
        ] = None,
        limit: Limit = 20,
    ) -> Json:
        """List runs that satisfy a condition, with some of their fields; `has_more` says whether others do, too."""
        runs = self._client.runs(experiment, None, where, order_by, fields or FIELDS, page_size=limit + 1)
        return _listed(runs, limit)

    def run(self, run: RunId) -> Json:
        """Get a run: its whole spec, its summary (last values of all metrics), and with what it was computed."""
        return self._client.run(run)

    def summary(
        self,
        experiment: ExperimentId,
        metrics: Annotated[list[str], Field(description="Metrics of the summary.")] = ["loss"],  # noqa: B006
        group_by: Annotated[list[str] | None, Field(description="Fields, e.g. model.depth, init.std.")] = None,
        where: Where = None,
    ) -> Json:
        """Summarise an experiment: count, least value, quartiles and greatest value of metrics in groups of runs."""
        return {"items": self._client.summary(experiment, metrics, group_by, where)}

    def trajectory(
        self,
        run: RunId,
        metrics: Names = None,
        max_points: Annotated[int, Field(ge=2, le=MOST_POINTS, description="Points; extremes stay.")] = 30,
    ) -> Json:
        """Get the trajectory of a run as columns of step, time and metrics, thinned to its extremes and both ends."""
        got = self._client.trajectory(run, metrics=",".join(metrics) if metrics else None, max_points=max_points)
        vectors = [] if metrics else [name for name, values in got["columns"].items() if _is_vector(values)]
        columns = {name: values for name, values in got["columns"].items() if name not in vectors}
        return {**got, "columns": columns, "vectors_left_out": vectors}

    def theory(self, run: RunId) -> Json:
        """Say what theory predicts of a run, and whether it held: bounds, their verdict, limits, at a few points."""
        said = self._client.theory(run)
        columns: dict[str, list[Any]] = said.get("columns") or {}
        kept = _spread(max(map(len, columns.values()), default=0), POINTS_OF_THEORY)
        return {**said, "columns": {name: [values[at] for at in kept] for name, values in columns.items()}}

    def list_figures(self, experiment: ExperimentId) -> Json:
        """List the figures that can be drawn of an experiment; `default` shows it best."""
        return self._client.figures(experiment)

    def figure(
        self,
        experiment: ExperimentId,
        name: Annotated[str | None, Field(description="A name of list_figures; the default when left out.")] = None,
        theme: Literal["light", "dark"] = "light",
        width: Annotated[int, Field(ge=200, le=2000, description="Pixels.")] = PIXELS,
    ) -> Image:
        """Draw a figure of an experiment as a picture."""
        name = name or str(self._client.figures(experiment)["default"])
        return Image(data=self._client.figure(experiment, name, width=width, scale=1, theme=theme), format="png")


def _listed(items: Iterator[Json], limit: int) -> Json:
    got = list(islice(items, limit + 1))
    return {"items": got[:limit], "has_more": len(got) > limit}


def _spread(points: int, most: int) -> list[int]:
    """At most so many positions (2 or more) at equal distances, both ends among them."""
    if points <= most:
        return list(range(points))
    return [round(at * (points - 1) / (most - 1)) for at in range(most)]


def _is_vector(values: list[Any]) -> bool:
    return any(isinstance(value, list) for value in values)
