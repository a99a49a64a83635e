"""Runs with any numbers in their points and summaries, as every kind of figure in the catalogue reads them."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from service.figures.kinds import KINDS
from service.figures.kinds.base import Ask, DrawnRun, Scene
from service.figures.metric_axes import ABSCISSAS
from tests.helpers.specs import BASIC, FLOW
from workers.runs.metrics import BY_NAME, ON_REQUEST
from workers.runs.spec import RunSpec

EXTREME = [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 5e-324, -5e-324, 1e-310, 1.7e308, -1.7e308, 1e155, 1 + 1e-15]
NUMBERS = st.sampled_from(EXTREME) | st.floats(allow_nan=True, allow_infinity=True)
_COMPLETION = {"kind": "low_rank_completion", "shape": [3, 3], "rank": 1, "observed": 5, "norm": 1}
_TENSOR = {"kind": "low_rank_completion", "shape": [2, 2, 2], "rank": 1, "observed": 5, "norm": 1}
_DESCENT = FLOW | {
    "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-2},
    "stop": {"max_steps": 100},
}
SETTINGS = [
    BASIC,
    BASIC | {"init": BASIC["init"] | {"std": 0.19999951}},
    BASIC
    | {"init": BASIC["init"] | {"std": 0.19999952}, "optimizer": {"kind": "gradient_descent", "learning_rate": 3}},
    BASIC
    | {"problem": _COMPLETION, "init": {"kind": "gaussian", "std": 0.1}, "model": {"kind": "deep_matrix", "depth": 2}},
    BASIC | {"problem": _TENSOR, "init": {"kind": "gaussian", "std": 0.1}, "model": {"kind": "cp_tensor"}},
    FLOW,
    _DESCENT,
    _DESCENT | {"optimizer": {"kind": "gradient_descent", "learning_rate": 1e300}, "record": {"every": 10}},
]
ON_REQUEST_VECTORS = [name for name in KINDS if name in ON_REQUEST]
SETTINGS += [one | {"record": {"every": 1, "metrics": ON_REQUEST_VECTORS}} for one in (BASIC, _DESCENT)]
SPECS = [RunSpec.model_validate(one) for one in SETTINGS]
RESOLVED = [spec.resolved() for spec in SPECS]


@st.composite
def scenes(draw, name):
    """A scene of a kind: a few runs of any sort that it reads, with anything in what it reads of them."""
    kind = KINDS[name]
    ask = draw(asks(kind))
    readable = [
        place
        for place, spec in enumerate(SPECS)
        if (kind.columns(spec, ask) if kind.reads_points else kind.applies(spec))
    ]
    places = draw(st.lists(st.sampled_from(readable), min_size=1, max_size=4))
    runs = [draw(drawn_runs(kind, ask, place, number)) for number, place in enumerate(places)]
    return Scene(runs, ask, draw(st.sampled_from([1, 40, 10_000])))


@st.composite
def asks(draw, kind):
    """An ask with any abscissa and scale that the kind offers, of runs of any sort that it applies to."""
    ask = Ask()
    if "x_scale" in kind.takes:
        ask = replace(
            ask, x=draw(st.sampled_from([None, *ABSCISSAS])), x_scale=draw(st.sampled_from([None, "log", "linear"]))
        )
    elif "x" in kind.takes:
        ask = replace(ask, x=draw(st.sampled_from([None, "model.kind", "problem.kind", "seed"])))
    return kind.settle(ask, [spec for spec in SPECS if kind.applies(spec)])


@st.composite
def drawn_runs(draw, kind, ask, place, number):
    spec = SPECS[place]
    points = draw(st.sampled_from([0, 1, 2, 3, 7]))
    columns = {name: draw(column(name, points)) for name in kind.columns(spec, ask)} if kind.reads_points else {}
    summary = {name: draw(summary_value(name)) for name in kind.summary(ask)}
    row = {"index": number, "status": "succeeded", "outcome": draw(st.sampled_from(["converged", "diverged"]))}
    row |= {"step": 10, "observed": draw(st.sampled_from([0, 3, 5])), **summary}
    return DrawnRun(f"r{number}", draw(st.sampled_from(["a", "US$ 5% of $x"])), RESOLVED[place], row, columns)


def column(name, points):
    """A column of points: steps ascend; any other is one value over and over, or any values."""
    if name == "step":
        return st.just(np.arange(points, dtype=np.int64) * 10)
    width = st.integers(0, 3) if BY_NAME.get(name) and BY_NAME[name].type == "vector" else st.none()
    return width.flatmap(
        lambda wide: _numbers(points if wide is None else points * wide).map(lambda one: _shaped(one, points, wide))
    )


def summary_value(name):
    if name == "determinant_sign_changed_at":
        return st.sampled_from([None, 0, 10])
    return st.none() | NUMBERS


def _numbers(count):
    return st.lists(NUMBERS, min_size=count, max_size=count) | NUMBERS.map(lambda value: [value] * count)


def _shaped(values, points, width):
    array = np.array(values, dtype=float)
    return array if width is None else array.reshape(points, width)
