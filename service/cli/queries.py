"""Commands that ask a server what it holds."""

from itertools import islice
from typing import Annotated, Any

import typer

from service.cli.clients import print_json
from service.cli.options import ApiKey, AsJson, ExperimentId, Fields, OfExperiment, Url, Where
from service.cli.show import print_experiments, print_objects, print_runs
from service.cli.tables import Column, print_table
from service.client.api import RUNS_PER_PAGE, Rankward
from service.client.calls import DEFAULT_URL


def runs(
    experiment: OfExperiment = None,
    status: Annotated[str | None, typer.Option(help="Only runs in this status.")] = None,
    where: Where = None,
    order_by: Annotated[str | None, typer.Option(help='Sort by fields, e.g. "summary.loss desc, index".')] = None,
    fields: Fields = None,
    limit: Annotated[int, typer.Option(min=1, help="The most runs to show.")] = 100,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List runs with their results."""
    with Rankward(url, api_key) as client:
        selected = client.runs(experiment, status, where, order_by, fields, min(limit, RUNS_PER_PAGE))
        listed = list(islice(selected, limit))
    if as_json:
        return print_json(listed)
    return print_runs(listed) if fields is None else print_objects(listed)


def experiments(
    where: Where = None,
    order_by: Annotated[str | None, typer.Option(help='Sort by fields, e.g. "runs.failed desc".')] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most experiments to show.")] = 100,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List experiments, newest first."""
    with Rankward(url, api_key) as client:
        listed = list(islice(client.experiments(where, order_by), limit))
    print_json(listed) if as_json else print_experiments(listed)


def presets(as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """List the presets."""
    with Rankward(url, api_key) as client:
        listed = client.presets()
    if as_json:
        return print_json(listed)
    about = [f"{preset['title']}. {preset['about']}" for preset in listed]
    return print_table(
        [Column("name", [preset["name"] for preset in listed]), Column("shows", about, 1, 30, wraps=True)]
    )


def summary(
    experiment: ExperimentId,
    metric: Annotated[str, typer.Option(help="Metrics of the summary, separated by commas.")] = "loss",
    group_by: Annotated[str | None, typer.Option(help="Fields, e.g. model.depth,init.std.")] = None,
    where: Where = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Show how metrics spread over the runs of an experiment."""
    with Rankward(url, api_key) as client:
        summaries = client.summary(experiment, metric, group_by, where)
    print_json(summaries) if as_json else _print_summary(summaries)


def _print_summary(summaries: list[dict[str, Any]]) -> None:
    groups = list(summaries[0]["group"]) if summaries else []
    print_objects([_flat(item) for item in summaries], (*groups, "metric", "median", "min", "max", "count"))


def _flat(item: dict[str, Any]) -> dict[str, Any]:
    quartiles = item["quartiles"] or (None, None, None)
    shown = {"lower quartile": quartiles[0], "median": item["median"], "upper quartile": quartiles[2]}
    counted = {name: item[name] for name in ("metric", "runs", "count", "min")}
    return {**item["group"], **counted, **shown, "max": item["max"]}
