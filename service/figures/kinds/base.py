"""What a kind of figure is, and what it is given to draw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from service.errors import FieldError, InvalidPayload
from service.figures.picture import Array, Picture, Scale
from service.figures.variation import label_of, leaves
from service.values.specs import parse_spec
from workers.runs.spec import RunSpec


@dataclass(frozen=True)
class Ask:
    """What was asked of a figure; None and empty where its kind is to choose."""

    metrics: tuple[str, ...] = ()
    metric: str | None = None
    x: str | None = None
    y: str | None = None
    x_scale: Scale | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class DrawnRun:
    """One run of a figure.

    Attributes:
        experiment: what its experiment is called here, no two alike.
        resolved: its spec as JSON values.
        row: `index`, `status`, `outcome`, `step` and the summary's columns that the kind reads, by their names.
        columns: its points, (points,) each, (points, width) of vectors; NaN where not a number.
    """

    id: str
    experiment: str
    resolved: Mapping[str, Any]
    row: Mapping[str, Any]
    columns: Mapping[str, Array] = field(default_factory=dict[str, Array])

    @cached_property
    def spec(self) -> RunSpec:
        """Its spec."""
        return parse_spec(self.resolved)

    @cached_property
    def leaves(self) -> dict[str, Any]:
        """The fields of its spec by their dotted paths."""
        return leaves(self.resolved)

    def about(self, paths: Sequence[str]) -> str:
        """Which run it is, by its id, what it has in some fields, and its seed."""
        settings = label_of(self.leaves, paths)
        return f"run {self.id}: {settings}{', ' if settings else ''}seed {self.leaves['seed']}"


@dataclass(frozen=True, eq=False)
class Scene:
    """What a kind draws.

    Attributes:
        runs: in the order of submission, each with something to draw.
        ask: as the kind settled it.
        most_points: points that the whole picture may have.
        order: dotted paths of the sweep, in which differences between runs are told.
    """

    runs: Sequence[DrawnRun]
    ask: Ask
    most_points: int
    order: tuple[str, ...] = ()


def _keep(ask: Ask, _specs: Sequence[RunSpec]) -> Ask:
    return ask


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        name: as in paths.
        title, about: what it shows, in a few words and in a sentence.
        needs: what runs must have, as in "This figure draws ...".
        applies: whether a run has it.
        picture: draws a scene with at least one run.
        takes: the parameters that it knows, fields of Ask.
        settle: the ask with its defaults, given specs of every sort of run there is; raises InvalidPayload.
        columns: of the trajectory that it reads of a run; a run with none is not drawn.
        summary: columns of the summary that it reads.
        is_telling: whether it is worth being the first one shown, where it applies.
        reads_points: whether it draws trajectories (True) or summaries (False).
    """

    name: str
    title: str
    about: str
    needs: str
    applies: Callable[[RunSpec], bool]
    picture: Callable[[Scene], Picture]
    takes: tuple[str, ...] = ()
    settle: Callable[[Ask, Sequence[RunSpec]], Ask] = _keep
    columns: Callable[[RunSpec, Ask], tuple[str, ...]] = lambda _spec, _ask: ()
    summary: Callable[[Ask], tuple[str, ...]] = lambda _ask: ()
    is_telling: Callable[[Sequence[RunSpec]], bool] = lambda _specs: True
    reads_points: bool = True


def refuse(parameter: str, detail: str) -> InvalidPayload:
    """The error of a parameter that cannot be drawn."""
    return InvalidPayload([FieldError(f"/{parameter}", detail)])
