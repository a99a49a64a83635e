"""What theory says of a run."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from service.values.numbers import InfiniteWord


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
