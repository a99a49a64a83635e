"""Figures of experiments: their list, and drawing."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from service.errors import NotFound
from service.figures.kinds import KINDS
from service.figures.kinds.base import Ask, Kind, Scene, refuse
from service.figures.picture import Picture
from service.figures.renderers import MEDIA_TYPES, Format, Style, render
from service.limits import exceeded
from service.schemas.lists import FigureList, FigureSummary
from service.settings import Limits
from service.store.database import Database
from service.use_cases.experiments import find_row
from service.use_cases.figure_runs import Chosen, choose, read_runs, read_source, sorts_of, told_apart
from service.use_cases.short_ids import whole_id
from workers.runs.spec import RunSpec

_PARAMETERS = {field.name: field.name for field in fields(Ask)} | {"others": "with"}
"""Names of parameters by field of an Ask."""
STYLE_PARAMETERS = ("width", "theme", "scale")


@dataclass(frozen=True)
class FigureRequest:
    """A request for a figure: experiment, kind, format and parameters."""

    experiment_id: str
    kind: Kind
    format: Format
    ask: Ask

    @property
    def experiments(self) -> list[str]:
        """All experiments that the figure draws, `experiment_id` first."""
        return list(dict.fromkeys((self.experiment_id, *self.ask.others)))


def asked_figure(database: Database, experiment_id: str, file: str, ask: Ask, limits: Limits) -> FigureRequest:
    """The request of a file name, `name.format`, and parameters.

    Raises:
        NotFound: no such figure or format.
        InvalidPayload: parameters that the figure does not take, or too many experiments.
        AmbiguousId: a short id of another experiment stands for several.
    """
    kind, format = _kind_and_format(file)
    _check_parameters(kind, ask, limits)
    others = tuple(whole_id(database, "experiment", other) for other in ask.others)
    return FigureRequest(experiment_id, kind, format, replace(ask, others=others))


def list_figures(database: Database, experiment_id: str) -> FigureList:
    """The figures that apply to an experiment, and the default one; raises NotFound."""
    with database.reading() as connection:
        specs = sorts_of([read_source(connection, experiment_id)])
    applicable = _applicable(specs)
    default = next(kind for kind in applicable if kind.is_telling(specs))
    return FigureList(default=default.name, items=[_summary_of(kind, experiment_id) for kind in applicable])


def version_of(database: Database, request: FigureRequest) -> str:
    """A text that changes whenever the figure may change; raises NotFound.

    An experiment's revision rises with every change of its runs and their points; its name is drawn beside them.
    """
    with database.reading() as connection:
        rows = [find_row(connection, each) for each in request.experiments]
    return repr([(row["id"], row["revision"], row["name"]) for row in rows])


def draw(database: Database, request: FigureRequest, style: Style, limits: Limits) -> bytes:
    """The content of a figure, or of a picture that says that there is nothing to draw yet.

    Raises:
        NotFound: no such experiment, or the figure does not apply to it.
        InvalidPayload: a parameter names something that does not exist.
    """
    scene, note = _read(database, request, limits)
    if not scene.runs:
        return render(Picture(request.kind.title, message=_nothing_yet(request.kind)), request.format, style)
    picture = request.kind.picture(scene)
    return render(replace(picture, note=" ".join(filter(None, (note, picture.note)))), request.format, style)


def _kind_and_format(file: str) -> tuple[Kind, Format]:
    name, _, ending = file.rpartition(".")
    if (name or file) not in KINDS:
        raise NotFound(f"There is no figure {name or file!r}; there are {', '.join(KINDS)}.")
    for format in MEDIA_TYPES:
        if name and ending == format:
            return KINDS[name], format
    raise NotFound(f"A figure comes as {', '.join(MEDIA_TYPES)}; ask for {name or file}.png, say.")


def _read(database: Database, request: FigureRequest, limits: Limits) -> tuple[Scene, str]:
    """The scene that the kind draws, and a note on runs that it does not."""
    kind = request.kind
    with database.reading() as connection:
        sources = told_apart([read_source(connection, each) for each in request.experiments])
        specs = sorts_of(sources)
        _check_applies(kind, specs)
        ask = kind.settle(request.ask, specs)
        chosen = [choose(connection, source, kind, ask, limits, len(sources)) for source in sources]
        runs = [run for of_source in chosen for run in read_runs(connection, of_source, kind, ask)]
    scene = Scene(runs, ask, limits.max_points_drawn_per_figure, sources[0].order)
    return scene, _note(kind, len(runs), chosen)


def _note(kind: Kind, drawn: int, chosen: Sequence[Chosen]) -> str:
    total = sum(of_source.of for of_source in chosen)
    if any(of_source.is_sample for of_source in chosen):
        return f"A sample: {drawn:,} of {total:,} runs are drawn."
    return f"{drawn:,} of {total:,} runs are over." if not kind.reads_points and drawn < total else ""


def _nothing_yet(kind: Kind) -> str:
    return "No points recorded yet." if kind.reads_points else "No run is over yet."


def _applicable(specs: Sequence[RunSpec]) -> list[Kind]:
    return [kind for kind in KINDS.values() if any(map(kind.applies, specs))]


def _check_applies(kind: Kind, specs: Sequence[RunSpec]) -> None:
    if not any(map(kind.applies, specs)):
        names = ", ".join(other.name for other in _applicable(specs))
        raise NotFound(f"The figure {kind.name!r} draws {kind.needs}, and this experiment has none; it has {names}.")


def _check_parameters(kind: Kind, ask: Ask, limits: Limits) -> None:
    for field, parameter in _PARAMETERS.items():
        if getattr(ask, field) and field not in kind.takes:
            takes = ", ".join([*(_PARAMETERS[taken] for taken in kind.takes), *STYLE_PARAMETERS])
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
