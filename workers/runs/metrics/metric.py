"""What is to be known of a metric: its type, to which runs it applies, its cost, how it is drawn, where it is shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # the catalogue costs a command no import of numpy or pydantic
    from workers.runs.losses import Loss
    from workers.runs.models import Model
    from workers.runs.problems import Problem

ColumnKind = Literal["float", "integer", "vector", "text"]

View = Literal["telling", "run", "runs", "compare", "terminal", "norms", "ranks", "tensor", "theory"]
"""Where metrics are shown unless others are named.

- telling: figures and pages draw the first of these that a run has.
- run, runs, compare: the pages of these names.
- terminal: tables of the command line.
- norms, ranks: the figure `metrics` of matrices, what goes up above what goes down.
- tensor: the figure `metrics` of tensors.
- theory: recorded columns beside theory's bounds.
"""

Bound = Literal["unobserved_entry", "effective_rank", "distance_to_infimal_rank"]
"""Which of theory's bounds a metric is held against."""


class Recorded(Protocol):
    """What a run records beyond the default (`workers.runs.spec.Record`)."""

    @property
    def metrics(self) -> Sequence[str]: ...
    @property
    def entries(self) -> Sequence[Sequence[int]]: ...


class Measured(Protocol):
    """A run as a metric sees it (`workers.runs.spec.RunSpec`)."""

    @property
    def problem(self) -> "Problem": ...
    @property
    def model(self) -> "Model": ...
    @property
    def loss(self) -> "Loss": ...
    @property
    def record(self) -> Recorded: ...
    @property
    def is_flow(self) -> bool: ...
    @property
    def decays(self) -> bool: ...
    @property
    def factor_shapes(self) -> tuple[tuple[int, ...], ...]: ...
    @property
    def phase_specs(self) -> "Sequence[Measured]": ...


@dataclass(frozen=True)
class Axis:
    """How a metric is drawn.

    Attributes:
        label: what it is called; its name in words where this is None.
        scale: of its axis in figures.
        page_scale: of its axis on a run's page, which is linear where no value is above 0.
        is_whole: its ticks are whole numbers.
        is_size: its size is drawn, for theory speaks of the size, whatever the sign.
    """

    label: str | None = None
    scale: Literal["linear", "log"] = "linear"
    page_scale: Literal["linear", "log"] = "log"
    is_whole: bool = False
    is_size: bool = False


@dataclass(frozen=True)
class Limit:
    """A limit of the service on the runs that record a metric; it becomes a field of `service.settings.Limits`.

    Attributes:
        name: of the limit.
        default: its value unless the service is told another.
        description: of the limit, as the table of settings has it.
        subject: begins the sentence of a refusal, up to the verb.
        value: what is limited, of a run that records the metric.
    """

    name: str
    default: int
    description: str
    subject: str
    value: Callable[[Measured], int]


@dataclass(frozen=True)
class Cell:
    """A metric's column in a table of the command line.

    Attributes:
        heading: of the column.
        format: of its values.
        meaning: of the heading, where it is not the metric's name.
    """

    heading: str
    format: str
    meaning: str = ""


def free(spec: Measured) -> int:
    """A metric that costs nothing to speak of."""
    return 0


Work = Callable[[Measured], int]
"""What a metric costs at a point of a run."""


def _fits(spec: Measured) -> str | None:
    return None


@dataclass(frozen=True)
class Metric:
    """A metric of recorded points, and of summaries, which hold its last value; or of summaries alone.

    Attributes:
        name: of its column.
        type: of its values.
        applies: whether a run has it.
        runs: which runs have it, in words.
        source: its definition, with units and where it comes from.
        of_points: whether every recorded point has it; else it is measured when a run is over.
        on_request: whether `record.metrics` may name it.
        misfit: why a run must not name it, as one sentence; None where it may.
        gradients: evaluations of the gradient that it costs at each point.
        multiply_adds: what it costs at each point beside them.
        limit: the limit of the service on runs that record it, if there is one.
        bound: the bound of theory that it is held against, if there is one.
        shown: the views that show it, and its position there: a lower number goes first.
        cell: its column in the view `terminal`.
    """

    name: str
    type: ColumnKind
    applies: Callable[[Measured], bool]
    runs: str
    source: str
    of_points: bool = True
    on_request: bool = False
    misfit: Callable[[Measured], str | None] = _fits
    gradients: Work = free
    multiply_adds: Work = free
    limit: Limit | None = None
    axis: Axis = Axis()
    bound: Bound | None = None
    shown: Mapping[View, int] = field(default_factory=dict[Any, int])
    cell: Cell | None = None

    @property
    def label(self) -> str:
        """The metric in words."""
        return self.axis.label or self.name.replace("_", " ")

    @property
    def is_number(self) -> bool:
        """Whether it has one number at a point."""
        return self.type in ("float", "integer")
