"""Shell completion: ids, presets and figures, asked of the server; quietly nothing where it does not answer at once."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import httpx2
import typer

from service.cli.tables import short_ids
from service.client.api import Rankward
from service.client.calls import DEFAULT_URL
from service.client.transport import Transport
from service.errors import RankwardError
from service.values.visible import visible

SECONDS = 2.0
MOST_SUGGESTIONS = 50
Suggestions = list[tuple[str, str]]


def experiment_ids(context: typer.Context, incomplete: str) -> Suggestions:
    """Short ids of the newest experiments, with their names."""

    def ask(client: Rankward) -> Iterable[tuple[str, str]]:
        return [(item["id"], item["name"] or item["status"]) for item in islice(client.experiments(), MOST_SUGGESTIONS)]

    return _ids(context, incomplete, ask)


def run_ids(context: typer.Context, incomplete: str) -> Suggestions:
    """Short ids of the newest runs, with their status."""

    def ask(client: Rankward) -> Iterable[tuple[str, str]]:
        newest = client.runs(order_by="created_at desc", fields="id,status", page_size=MOST_SUGGESTIONS)
        return [(item["id"], item["status"]) for item in islice(newest, MOST_SUGGESTIONS)]

    return _ids(context, incomplete, ask)


def any_ids(context: typer.Context, incomplete: str) -> Suggestions:
    """Short ids of experiments, then of runs."""
    return [*experiment_ids(context, incomplete), *run_ids(context, incomplete)]


def preset_names(context: typer.Context, incomplete: str) -> Suggestions:
    """Presets, with their titles."""
    presets = _suggestions(context, lambda client: [(item["name"], item["title"]) for item in client.presets()])
    return [(name, title) for name, title in presets if name.startswith(incomplete)]


def figure_names(context: typer.Context, incomplete: str) -> Suggestions:
    """Figures of the experiment that stands before, with their titles."""
    experiment = str(context.params.get("experiment") or "")

    def ask(client: Rankward) -> Iterable[tuple[str, str]]:
        return [(item["name"], item["title"]) for item in client.figures(experiment)["items"]] if experiment else []

    return [(name, title) for name, title in _suggestions(context, ask) if name.startswith(incomplete)]


def _ids(context: typer.Context, incomplete: str, ask: Callable[[Rankward], Iterable[tuple[str, str]]]) -> Suggestions:
    suggestions = _suggestions(context, ask)
    shown = short_ids(public_id for public_id, _ in suggestions)
    return list(_matching(suggestions, shown, incomplete))


def _matching(suggestions: Suggestions, shown: dict[str, str], incomplete: str) -> Iterator[tuple[str, str]]:
    for public_id, said in suggestions:
        if shown[public_id].startswith(incomplete):
            yield shown[public_id], said
        elif public_id.startswith(incomplete):
            yield public_id, said


def _suggestions(context: typer.Context, ask: Callable[[Rankward], Iterable[tuple[str, str]]]) -> Suggestions:
    url, key = context.params.get("url") or DEFAULT_URL, context.params.get("api_key")
    transport = Transport(url, key, tries=1, timeout=SECONDS)
    try:
        with Rankward(url, key, transport=transport) as client:
            return [(value, visible(said)) for value, said in ask(client)]
    except (RankwardError, httpx2.HTTPError, httpx2.InvalidURL):
        return []
