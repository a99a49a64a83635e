"""How the command line shows what a server answers: tables of experiments, runs, groups, and of anything."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from service.cli.tables import Column, fits_terminal, id_column, print_table
from service.client.api import Json
from service.values.digits import SETTING, told_apart
from service.values.field_labels import field_label
from workers.runs.metrics import BY_NAME, shown_in

_MEASURED = {name: cell for name in shown_in("terminal") if (cell := BY_NAME[name].cell) is not None}
"""What is shown of a summary where some run has it."""

_STATED = ("model.depth", "optimizer.learning_rate")
"""Fields of a spec that have columns of their own; the start has one, in words."""
_LEAST_TEXT = 12
_LEAST_NAME = 20
_LEAST_LABEL = 8
_LEAST_START = 16


def print_experiments(items: Sequence[Json]) -> None:
    """Experiments: what they are called and how far they are."""
    if not fits_terminal():
        return print_objects(items)
    runs = [item["runs"] for item in items]
    over = [counts["succeeded"] + counts["failed"] + counts["cancelled"] for counts in runs]
    tags = [", ".join(f"{key}={value}" for key, value in item["tags"].items()) for item in items]
    columns = [
        id_column("id", [item["id"] for item in items]),
        Column("name", [item["name"] for item in items], 1, _LEAST_NAME),
        Column("status", [item["status"] for item in items], 1),
        Column("over", [f"{count:,}/{of['total']:,}" for count, of in zip(over, runs, strict=True)], 2, is_number=True),
        Column("failed", [f"{counts['failed']:,}" for counts in runs], 3, is_number=True),
        Column("submitted (UTC)", [item["created_at"][:16].replace("T", " ") for item in items], 4),
        Column("tags", tags, 5, _LEAST_TEXT),
        Column("priority", [str(item["priority"]) for item in items], 6, is_number=True),
    ]
    return print_table(columns)


def print_runs(runs: Sequence[Json]) -> None:
    """Runs: the settings that tell them apart, and what came out."""
    measured = [_measure(runs, name) for name in _MEASURED if any(name in run["summary"] for run in runs)]
    experiments = [run["experiment_id"] for run in runs]
    columns = [
        id_column("id", [run["id"] for run in runs]),
        id_column("experiment", experiments, 5 if len(set(experiments)) > 1 else 9),
        *_settings(runs, 3 if len(set(experiments)) == 1 else 7),
        Column("steps", [f"{run['step']:,}" for run in runs], 6, is_number=True),
        *measured,
        Column("outcome", [run["outcome"] or run["status"] for run in runs], 1),
    ]
    if any(run["error"] for run in runs):
        columns.append(Column("error", [run["error"] or "" for run in runs], 2, _LEAST_TEXT))
    print_table(columns)


def print_groups(runs: Sequence[Json]) -> None:
    """Runs that differ only by their seed, a line for each group: medians, and the range of the unobserved entry."""
    groups: dict[tuple[str, ...], list[Json]] = {}
    for settings, run in zip(_stated(runs), runs, strict=True):
        groups.setdefault(settings, []).append(run["summary"])
    columns = zip(*(_spread(summaries) for summaries in groups.values()), strict=True)
    spelled = [told_apart(values, form) for values, form in zip(columns, _SPREAD_FORMS, strict=True)]
    rows = [(*settings, *cells) for settings, cells in zip(groups, zip(*spelled, strict=True), strict=True)]
    headings = ("depth", "start", "rate", "runs", "steps", "loss", "|entry|", "least", "most")
    print_table(
        Column(heading, cells, index, _LEAST_LABEL if heading == "start" else None, is_number=heading != "start")
        for index, (heading, cells) in enumerate(zip(headings, zip(*rows, strict=True), strict=True))
    )


def print_objects(items: Sequence[Json], first: Sequence[str] = ()) -> None:
    """Objects as rows: a column for each value in them, headed by its path.

    Args:
        first: the most important columns; the others follow as they stand.
    """
    rows = [dict(_leaves(item)) for item in items]
    names = list(dict.fromkeys(name for row in rows for name in row))
    ranked = list(dict.fromkeys((*first, *names)))
    print_table(_column(name, [row.get(name) for row in rows], ranked.index(name)) for name in names)


def _column(name: str, values: Sequence[Any], importance: int) -> Column:
    if name.rpartition(".")[2] in ("id", "experiment_id", "run_id") and all(isinstance(id_, str) for id_ in values):
        return id_column(name, list(values))
    is_number = all(isinstance(value, int | float) or value is None for value in values)
    return Column(name, _texts(values), importance, None if is_number else _LEAST_TEXT, is_number)


def _texts(values: Sequence[Any], form: str = SETTING) -> list[str]:
    """Texts of a column; lists and objects as JSON."""
    plain = [_json(value) if isinstance(value, list | dict) else value for value in values]
    return told_apart(plain, form)


def _measure(runs: Sequence[Json], name: str) -> Column:
    cell = _MEASURED[name]
    values = [run["summary"].get(name) for run in runs]
    sizes = [abs(value) if isinstance(value, float) else value for value in values]
    note = f"{cell.heading}: {cell.meaning}" if cell.meaning else ""
    return Column(cell.heading, told_apart(sizes, cell.format), _importance(name), is_number=True, note=note)


def _importance(metric: str) -> int:
    """The first of those shown before the settings, the others after them."""
    index = list(_MEASURED).index(metric)
    return 2 if not index else 3 + index


def _settings(runs: Sequence[Json], importance: int) -> Iterator[Column]:
    """Depth, start and rate, and further fields in which the runs differ; those in which they do not go first."""
    stated = list(zip(*_stated(runs), strict=True)) if runs else [(), (), ()]
    for heading, cells in zip(("depth", "start", "rate"), stated, strict=True):
        least = _LEAST_START if heading == "start" else None
        differs = len(set(cells)) > 1
        yield Column(heading, cells, 3 if differs else 8, least, is_number=heading != "start")
    specs = [dict(_leaves(run["spec"])) for run in runs]
    for path in dict.fromkeys(path for spec in specs for path in spec):
        values = [spec.get(path) for spec in specs]
        if path not in _STATED and len(set(map(_json, values))) > 1 and not _is_told(path, specs, stated[1]):
            yield Column(field_label(path), _texts(values), importance, _LEAST_LABEL)


def _is_told(path: str, specs: Sequence[Mapping[str, Any]], starts: Sequence[str]) -> bool:
    """Whether the labels of starts tell apart what a field of the start has."""
    if not path.startswith("init."):
        return False
    values: dict[str, set[str]] = {}
    for spec, label in zip(specs, starts, strict=True):
        values.setdefault(label, set()).add(_json(spec.get(path)))
    return all(len(same) == 1 for same in values.values())


def _stated(runs: Sequence[Json]) -> list[tuple[str, ...]]:
    """Depth, start and rate of each run, in words that tell unlike rates apart."""
    start_label, rate_label = _labels()
    specs = [run["spec"] for run in runs]
    rates = [spec["optimizer"].get("learning_rate") for spec in specs]
    spelled = [
        rate if isinstance(rate, int | float) else rate_label(spec) for rate, spec in zip(rates, specs, strict=True)
    ]
    depths = [str(spec["model"].get("depth", "-")) for spec in specs]
    return list(zip(depths, map(start_label, specs), told_apart(spelled), strict=True))


def _labels() -> tuple[Callable[[Json], str], Callable[[Json], str]]:
    """What says the start and the learning rate of a run, given its spec: their kinds where no server is installed.

    What the kind leaves out of starts that differ then has columns of its own, as fields of a newer server have.
    """
    try:
        from service.values.labels import rate_label, start_label  # loads numpy and pydantic
    except ModuleNotFoundError:
        return (lambda spec: spec["init"]["kind"]), _rate_kind
    return start_label, rate_label


def _rate_kind(spec: Json) -> str:
    rate = spec["optimizer"].get("learning_rate")
    return rate["kind"] if isinstance(rate, dict) else "flow" if rate is None else f"{rate:g}"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


_SPREAD_FORMS = ("d", "d", ".2e", ".4g", ".4g", ".4g")
"""Of what `_spread` returns."""


def _spread(summaries: Sequence[Json]) -> tuple[int | float, ...]:
    """Runs, medians of their steps, loss and |unobserved entry|, and the range of the last."""
    from service.values.quantiles import five_numbers, median  # loads numpy, which few commands need

    entries = five_numbers([abs(float(summary["unobserved_entry"])) for summary in summaries])
    steps, loss = (median([float(summary[name]) for summary in summaries]) for name in ("steps", "loss"))
    whole = int(steps) if steps.is_integer() else steps
    return (len(summaries), whole, loss, entries.median, entries.least, entries.greatest)


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in value.items():
        if isinstance(part, dict) and part:
            yield from _leaves(part, f"{path}{name}.")
        else:
            yield f"{path}{name}", part
