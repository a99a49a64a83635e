"""What goes over the wire: the request of an experiment and the answers."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.values.numbers import InfiniteWord
from service.values.statuses import RunStatus
from workers.runs.base import Integer, Natural, NonNegative, Positive, misfit

Tag = Annotated[str, Field(max_length=500)]
TagName = Annotated[str, Field(min_length=1, max_length=100)]
Item = TypeVar("Item")
Values = Annotated[list[Any], Field(description="Values of one field.")]


Name = Annotated[str, Field(max_length=200)]
Tags = Annotated[dict[TagName, Tag], Field(max_length=50)]
Priority = Annotated[
    Integer, Field(ge=-100, le=100, description="Runs of a higher one go first whenever a worker is idle.")
]


class ExperimentRequest(BaseModel):
    """An experiment: one run, or a sweep over runs that share a base."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name = ""
    tags: Tags = {}
    priority: Priority = 0
    run: Annotated[dict[str, Any], Field(description="A RunSpec; fields that the sweep sets may be left out.")]
    sweep: Annotated[
        list[dict[str, Values]],
        Field(max_length=100, description="Axes to cross; the keys of one axis are dotted paths that move together."),
    ] = []


class ExperimentAttributes(BaseModel):
    """What can be changed of an experiment afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name = ""
    tags: Tags = {}
    priority: Priority = 0


class ExperimentChanges(BaseModel):
    """A JSON merge patch (RFC 7396) of an experiment: what is left out stays as it is, null removes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name | None = None
    tags: Annotated[
        dict[TagName, Tag | None] | None,
        Field(max_length=1000, description="Tags to set, and null for those to remove; null in place of all of them."),
    ] = None
    priority: Priority | None = None


class Extension(BaseModel):
    """How much further a run is to go; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    max_steps: Annotated[Natural | None, Field(description="At least as many as the run asks for now.")] = None
    max_time: Annotated[Positive | None, Field(description="Of a gradient_flow, at least what it has now.")] = None
    loss_below: Annotated[NonNegative | None, Field(description="At most the present limit; 0 or null removes it.")] = (
        None
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.model_fields_set:
            raise misfit((), "Say how far the run is to go: give max_steps, or max_time to a flow, or loss_below.")
        return self


class RunCounts(BaseModel):
    """How many runs are in which status."""

    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int


class Experiment(BaseModel):
    """An experiment as it stands."""

    id: str
    name: str
    tags: dict[str, str]
    priority: int
    status: RunStatus
    created_at: datetime
    runs: RunCounts


class ExperimentDetail(Experiment):
    """An experiment with what was posted."""

    run: dict[str, Any]
    sweep: list[dict[str, list[Any]]]


class Cost(BaseModel):
    """What an experiment may take at most; runs that stop by their loss take less.

    Flows choose their own steps, so only their time and their points can be said before.
    """

    max_steps: int
    max_time: Annotated[float, Field(description="Time to integrate, over all gradient flows.")]
    max_points: int
    max_snapshot_bytes: Annotated[int, Field(description="Bytes of the factors kept by `record.factors`.")]
    max_multiply_adds: int


class DryRun(BaseModel):
    """What an experiment would be; nothing was stored."""

    runs: int
    cost: Cost


class ComputedWith(BaseModel):
    """With what a run was computed: equal specs give equal bits where all of this, engine and device are equal."""

    rankward: str
    python: str
    numpy: str
    torch: str
    warp: str
    processor: Annotated[str, Field(description="Model of the processor.")]
    instructions: Annotated[str, Field(description="Widest vector instructions that torch uses on it.")]
    gpu: Annotated[str | None, Field(description="Model of the GPU that the run was computed on.")]


class Run(BaseModel):
    """A run as it stands; `summary` holds the last value of every metric that applies to it."""

    id: str
    experiment_id: str
    index: int
    status: RunStatus
    outcome: Literal["converged", "budget_exhausted", "diverged"] | None
    step: int
    spec: dict[str, Any]
    summary: dict[str, Any]
    engine: str | None
    device: str | None
    computed_with: Annotated[
        ComputedWith | None,
        Field(description="Of its last slice; null before its first, and of runs of earlier versions."),
    ]
    steps_per_second: float | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


class Trajectory(BaseModel):
    """Recorded points as columns of equal length, by ascending step."""

    run_id: str
    columns: dict[str, list[Any]]
    points: int
    thinned: bool


class FactorSteps(BaseModel):
    """The steps of which a run has a snapshot of its factors, ascending; of a flow, the numbers of points."""

    run_id: str
    steps: list[int]


class Trajectories(BaseModel):
    """The trajectories of many runs; those without points are left out."""

    items: list[Trajectory]


Number = float | InfiniteWord


class ExperimentSize(BaseModel):
    """What an experiment holds, and about how many bytes that takes in the database."""

    experiment_id: str
    runs: int
    points: int
    bytes: int


class Imported(BaseModel):
    """An experiment of an archive, as it is stored now."""

    experiment: Experiment
    is_new: Annotated[bool, Field(description="Whether this import stored it; if not, it was there already.")]
    renamed_runs: Annotated[int, Field(description="Runs with new ids, since other runs have those of the archive.")]


class GroupSummary(BaseModel):
    """How a metric's last values spread over the runs of a group; runs that do not have it, or as NaN, do not count."""

    group: Annotated[dict[str, Any], Field(description="Values of the fields that the runs have in common.")]
    metric: str
    runs: int
    count: Annotated[int, Field(description="Runs whose value is counted.")]
    min: Number | None = None
    quartiles: tuple[Number, Number, Number] | None = None
    median: Number | None = None
    max: Number | None = None


class Summary(BaseModel):
    """A metric's last values by groups of runs."""

    experiment_id: str
    items: list[GroupSummary]


class GroupCurves(BaseModel):
    """How a metric spreads over a group of runs along an axis; `count` runs have points on both sides of a place."""

    group: dict[str, Any]
    runs: int
    columns: Annotated[
        dict[str, list[Any]],
        Field(description="The axis, `count`, `min`, `lower_quartile`, `median`, `upper_quartile`, `max`."),
    ]


class Curves(BaseModel):
    """Quantile curves of a metric by groups of runs."""

    experiment_id: str
    metric: str
    x: Literal["step", "time", "loss"]
    items: list[GroupCurves]


class TheorySetting(BaseModel):
    """The setting that theory sees in a run's observations; sizes, whatever the order and signs of rows and columns."""

    kind: Literal["basic_2x2", "perturbed_2x2", "all_but_corner"]
    dimension: int
    z: float
    z_prime: float
    epsilon: float
    unobserved: tuple[int, ...]
    needed_determinant_sign: Literal[-1, 1]


class TightnessPrediction(BaseModel):
    """|unobserved entry| at the run's time if it grew along the bound from `escape_time` on (taken as 0)."""

    time: float
    escape_time: float
    unobserved_entry: float


class StabilityPrediction(BaseModel):
    """Where sharpness is predicted to meet 2 / learning rate."""

    unobserved_entry: float
    loss: float


class DecayThresholds(BaseModel):
    """Of a target whose entries are all observed: which of its singular values weight decay keeps."""

    least_singular_value: float
    local_from: float
    global_from: float


class DecayedPoint(BaseModel):
    """The stationary point of rank one in the basic 2 x 2 setting, by the sizes of its entries."""

    unobserved_entry: float
    beside: float
    opposite: float


class DecayPrediction(BaseModel):
    """What weight decay does; `penalty` is `least_penalty` at a stationary point (`workers.runs.theory.decay`)."""

    schatten_exponent: float
    least_penalty: float | None = None
    penalty: float | None = None
    balancedness_factor: float | None = None
    thresholds: DecayThresholds | None = None
    stationary_point: DecayedPoint | None = None


class FactorisationPrediction(BaseModel):
    """Whether products depend on how their start is factorised (`workers.runs.theory.factorisations`)."""

    is_respected: bool
    statement: str


class Theory(BaseModel):
    """What theory says of a run, and whether it did; a field that does not apply is null."""

    run_id: str
    applies: bool
    reason: Annotated[str | None, Field(description="Why theory says nothing of this run.")] = None
    setting: TheorySetting | None = None
    columns: Annotated[
        dict[str, list[Any]],
        Field(description="Per recorded point: what was recorded, and `bound`, `..._at_most` for its loss."),
    ] = {}
    points: int = 0
    sign_held_until: Annotated[
        int | None, Field(description="Last step up to which the determinant had the needed sign at every point.")
    ] = None
    determinant_sign_changed_at: int | None = None
    undecided_from: Annotated[
        int | None, Field(description="First step at which the determinant's sign is below rounding error.")
    ] = None
    bound_holds: Annotated[
        bool | None, Field(description="Whether |unobserved entry| is at least its bound until the sign is lost.")
    ] = None
    worst_margin: Annotated[
        float | None, Field(description="Least |unobserved entry| / bound until then, where the bound is positive.")
    ] = None
    predicted_limit: float | InfiniteWord | None = None
    tightness_law: TightnessPrediction | None = None
    stability_limit: StabilityPrediction | None = None
    weight_decay: Annotated[
        DecayPrediction | None, Field(description="What weight decay does to a product, also where `applies` is false.")
    ] = None
    silent_after: Annotated[
        int | None, Field(description="Last step of the first phase; theory says nothing of the phases after it.")
    ] = None
    factorisation: Annotated[
        FactorisationPrediction | None,
        Field(description="Whether products depend on how their start is factorised, also where `applies` is false."),
    ] = None


class PresetSummary(BaseModel):
    """A preset in the list."""

    name: str
    title: str
    about: str
    source: Annotated[str, Field(description="Where the experiment was published, or that it was not.")]
    figure: Annotated[str, Field(description="The figure that shows it, by its name in paths.")]


class Plugins(BaseModel):
    """The plugins of a service; the list is reserved, and empty."""

    items: list[str] = []
    next: str | None = None
    detail: str = (
        "Plugins are reserved: models that are not multilinear cannot be added yet. "
        "A multilinear one can be posted as data, as a model of kind contraction."
    )


class FigureSummary(BaseModel):
    """A figure that can be drawn of an experiment."""

    name: str
    title: str
    about: str
    parameters: Annotated[list[str], Field(description="What its query may say.")]
    files: Annotated[dict[str, str], Field(description="Its paths by format: png, svg, and json for Plotly.")]


class FigureList(BaseModel):
    """The figures that can be drawn of an experiment."""

    default: Annotated[str, Field(description="Name of the figure that shows it best.")]
    items: list[FigureSummary]


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next` is the cursor of the following page."""

    items: list[Item]
    next: str | None


class ProblemField(BaseModel):
    """One mistake: where it stands in the body (a JSON pointer) or which parameter it is in, and what to do."""

    pointer: str
    detail: str
    character: Annotated[int | None, Field(description="In a text: at which character, counted from 0.")] = None
    excerpt: Annotated[str | None, Field(description="The text around it, and a caret below that character.")] = None


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemField] | None = None
