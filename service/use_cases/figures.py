"""Figures of experiments: which there are, and the drawing of one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from service.errors import NotFound
from service.figures.kinds import KINDS
from service.figures.kinds.base import Ask, Kind, Scene, refuse
from service.figures.picture import Picture
from service.figures.renderers import MEDIA_TYPES, Format, Style, render
from service.limits import exceeded
from service.schemas import FigureList, FigureSummary
from service.settings import Limits
from service.store.database import Database
from service.store.figure_data import last_change
from service.use_cases.experiments import find_row
from service.use_cases.figure_runs import Source, choose, read_runs, read_source, sorts_of, told_apart
from service.use_cases.short_ids import whole_id
from workers.runs.spec import RunSpec

_PARAMETERS = {field.name: field.name for field in fields(Ask)} | {"others": "with"}
"""Fields of an Ask by their names, as parameters are called."""
STYLE_PARAMETERS = ("width", "theme", "scale")


@dataclass(frozen=True)
class Asked:
    """A figure that is asked for: of which experiment, what and how."""

    experiment_id: str
    kind: Kind
    format: Format
    ask: Ask

    @property
    def experiments(self) -> list[str]:
        """Every experiment that it draws, its own first."""
        return list(dict.fromkeys((self.experiment_id, *self.ask.others)))


def asked_figure(database: Database, experiment_id: str, file: str, ask: Ask, limits: Limits) -> Asked:
    """What is asked for by the name of a file, `name.format`, and the parameters.

    Raises:
        NotFound: no such figure or format.
        InvalidPayload: parameters that the figure does not take, or too many experiments.
        AmbiguousId: a short id to compare with stands for several.
    """
    kind, format = _kind_and_format(file)
    _check_parameters(kind, ask, limits)
    others = tuple(whole_id(database, "experiment", other) for other in ask.others)
    return Asked(experiment_id, kind, format, replace(ask, others=others))


def list_figures(database: Database, experiment_id: str) -> FigureList:
    """The figures that can be drawn of an experiment, and which one shows it best; raises NotFound."""
    with database.reading() as connection:
        specs = sorts_of([read_source(connection, experiment_id)])
    applicable = _applicable(specs)
    default = next(kind for kind in applicable if kind.is_telling(specs))
    return FigureList(default=default.name, items=[_summary_of(kind, experiment_id) for kind in applicable])


def version_of(database: Database, asked: Asked) -> str:
    """A text that is another one once the figure may show something else; raises NotFound."""
    with database.reading() as connection:
        return "".join(last_change(connection, find_row(connection, one)["id"]) for one in asked.experiments)


def draw(database: Database, asked: Asked, style: Style, limits: Limits) -> bytes:
    """The content of a figure; of an experiment with nothing to draw yet, a picture that says so.

    Raises:
        NotFound: no such experiment, or the figure does not apply to it.
        InvalidPayload: a parameter asks for what is not there.
    """
    scene, note = _read(database, asked, limits)
    if not scene.runs:
        return render(Picture(asked.kind.title, message=_nothing_yet(asked.kind)), asked.format, style)
    picture = asked.kind.picture(scene)
    return render(replace(picture, note=" ".join(filter(None, (note, picture.note)))), asked.format, style)


def _kind_and_format(file: str) -> tuple[Kind, Format]:
    name, _, ending = file.rpartition(".")
    if (name or file) not in KINDS:
        raise NotFound(f"There is no figure {name or file!r}; there are {', '.join(KINDS)}.")
    for known in MEDIA_TYPES:
        if name and ending == known:
            return KINDS[name], known
    raise NotFound(f"A figure comes as {', '.join(MEDIA_TYPES)}; ask for {name or file}.png, say.")


def _read(database: Database, asked: Asked, limits: Limits) -> tuple[Scene, str]:
    """What the kind draws, and what is to be said of runs that it does not."""
    kind = asked.kind
    with database.reading() as connection:
        sources = told_apart([read_source(connection, one) for one in asked.experiments])
        specs = sorts_of(sources)
        _check_applies(kind, specs)
        ask = kind.settle(asked.ask, specs)
        chosen = [choose(source, kind, ask, limits, len(sources)) for source in sources]
        runs = [
            run
            for source, (some, _) in zip(sources, chosen, strict=True)
            for run in read_runs(connection, source, some, kind, ask)
        ]
    is_sample = any(left_out for _, left_out in chosen)
    scene = Scene(runs, ask, limits.max_points_drawn_per_figure, sources[0].order)
    return scene, _note(kind, len(runs), sources, is_sample)


def _note(kind: Kind, drawn: int, sources: Sequence[Source], is_sample: bool) -> str:
    total = sum(len(source.rows) for source in sources)
    if is_sample:
        return f"A sample: {drawn:,} of {total:,} runs are drawn."
    return f"{drawn:,} of {total:,} runs are over." if not kind.reads_points and drawn < total else ""


def _nothing_yet(kind: Kind) -> str:
    return "No points recorded yet." if kind.reads_points else "No run is over yet."


def _applicable(specs: Sequence[RunSpec]) -> list[Kind]:
    return [kind for kind in KINDS.values() if any(map(kind.applies, specs))]


def _check_applies(kind: Kind, specs: Sequence[RunSpec]) -> None:
    if not any(map(kind.applies, specs)):
        there_are = ", ".join(other.name for other in _applicable(specs))
        raise NotFound(
            f"The figure {kind.name!r} draws {kind.needs}, and this experiment has none; it has {there_are}."
        )


def _check_parameters(kind: Kind, ask: Ask, limits: Limits) -> None:
    for field, parameter in _PARAMETERS.items():
        if getattr(ask, field) and field not in kind.takes:
            takes = ", ".join([*(_PARAMETERS[one] for one in kind.takes), *STYLE_PARAMETERS])
            raise refuse(parameter, f"The figure {kind.name!r} takes no {parameter!r}; it takes {takes}.")
    if (count := 1 + len(ask.others)) > limits.max_experiments_per_figure:
        raise refuse("with", exceeded("The experiments to compare are", count, limits, "max_experiments_per_figure"))


def _summary_of(kind: Kind, experiment_id: str) -> FigureSummary:
    path = f"/v1/experiments/{experiment_id}/figures/{kind.name}"
    return FigureSummary(
        name=kind.name,
        title=kind.title,
        about=kind.about,
        parameters=[*(_PARAMETERS[field] for field in kind.takes), *STYLE_PARAMETERS],
        files={format: f"{path}.{format}" for format in MEDIA_TYPES},
    )
