"""Layouts of the fused engine: by lanes or by columns, for vectors of any length, a run has the same bits."""

from dataclasses import replace

import pytest
import torch as torch_library
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines.fused_cases import Result, complete, descents, spec
from tests.helpers.cases import in_turn
from tests.helpers.losses import fitted
from workers.lab.engines.descent import engine as torch
from workers.lab.engines.fused import engine as fused
from workers.lab.engines.fused.program import Program
from workers.lab.native.vectors import vector_bytes
from workers.runs.engines import fused_limit
from workers.runs.losses import LOSSES
from workers.runs.spec import RunSpec

pytestmark = pytest.mark.slow

HAS_AVX512 = torch_library.backends.cpu.get_cpu_capability() == "AVX512"
Layout = tuple[str, int, int]
"""(layout, lanes, bytes of a vector). Vectors longer than the processor's are made of several of its own."""

BY_LANES: list[Layout] = [("lanes", lanes, 32) for lanes in (1, 2, 4, 8)]
BY_COLUMNS: list[Layout] = [("columns", 1, length) for length in (32, 64)]

PRODUCT = {"kind": "low_rank_completion", "rank": 1, "norm": 2.0}
SHAPES = {
    "4 x 4, depth 3": ([4, 4], 3, None, 9),
    "5 x 7, depth 3, 6 wide": ([5, 7], 3, 6, 20),
    "9 x 4, depth 2, 3 wide": ([9, 4], 2, 3, 20),
    "13 x 21, depth 4, 17 wide": ([13, 21], 4, 17, 120),
    "6 x 8, depth 1": ([6, 8], 1, None, 30),
    "3 x 40, depth 5, 2 wide": ([3, 40], 5, 2, 60),
    "37 x 37, depth 2": ([37, 37], 2, None, 600),
    "5 x 8, depth 2, 130 wide": ([5, 8], 2, 130, 30),
    "4 x 128, depth 2, 3 wide": ([4, 128], 2, 3, 300),
}
"""The last but one has sums in two parts, the last has padded rows of 1024 bytes."""


def specs_of(shape: list[int], depth: int, width: int | None, observed: int, **changes) -> list[RunSpec]:
    """Three runs that take some hundred steps."""
    model = {"kind": "deep_matrix", "depth": depth} | ({"hidden_width": width} if width else {})
    common = {
        "problem": {**PRODUCT, "shape": shape, "observed": observed},
        "model": model,
        "init": {"kind": "gaussian", "std": 0.4},
        "optimizer": {"kind": "momentum", "learning_rate": 0.005, "beta": 0.5},
        "stop": {"max_steps": 120, "loss_below": 1e-2},
        "record": {"every": 7},
    }
    return [spec(**{**common, **changes}, seed=seed) for seed in range(3)]


def everything(result: Result) -> list[object]:
    batch = result.batch
    return [batch.states.tobytes(), batch.steps.tolist(), batch.milestones.tolist(), batch.outcomes, result.every_run()]


@pytest.fixture
def layouts(request: pytest.FixtureRequest) -> list[Layout]:
    """By lanes, then by columns; not all, because each is compiled."""
    return [*in_turn(request, BY_LANES), *in_turn(request, BY_COLUMNS)]


def with_layout(monkeypatch: pytest.MonkeyPatch, layout: Layout, specs: list[RunSpec]) -> list[object]:
    chosen = fused.program_of(descents(specs), len(specs), "cpu")
    name, lanes, vector = layout
    program = replace(chosen, layout=name, lanes=lanes, vector_bytes=vector)
    with monkeypatch.context() as patched:
        patched.setattr(fused, "program_of", lambda *_: program)
        return everything(complete(specs))


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_layout_gives_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, layouts: list[Layout], shape: tuple, precision: str
) -> None:
    specs = specs_of(*shape, precision=precision)
    chosen = everything(complete(specs))
    for layout in layouts:
        assert with_layout(monkeypatch, layout, specs) == chosen, layout


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("loss", [loss.example for loss in LOSSES.values()], ids=LOSSES)
def test_every_layout_gives_the_same_bits_of_every_loss(
    monkeypatch: pytest.MonkeyPatch, layouts: list[Layout], loss: dict, precision: str
) -> None:
    size, depth, width, observed = SHAPES["5 x 7, depth 3, 6 wide"]
    parts = fitted(loss, {**PRODUCT, "shape": size, "observed": observed})
    specs = specs_of(size, depth, width, observed, **parts, precision=precision)
    chosen = everything(complete(specs))
    for layout in layouts:
        assert with_layout(monkeypatch, layout, specs) == chosen, layout


MANNERS = {
    "adam, cosine, coupled": {"kind": "adam", "learning_rate": {"kind": "cosine", "from": 0.02, "to": 0, "steps": 90}},
    "group_rmsprop, coupled": {"kind": "group_rmsprop", "learning_rate": 0.01},
    "momentum, polyak, coupled": {"kind": "momentum", "learning_rate": {"kind": "polyak", "most": 0.01}},
    "gradient_descent, polyak, decoupled": {
        "kind": "gradient_descent",
        "learning_rate": {"kind": "polyak", "most": 0.01},
        "decay": "decoupled",
    },
    "momentum, geometric, factors": {
        "kind": "momentum",
        "learning_rate": {"kind": "geometric", "initial": 0.01, "factor": 0.99},
        "learning_rate_factors": [1.0, 0.5, 2.0],
        "decay": "decoupled",
    },
}


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("manner", MANNERS.values(), ids=MANNERS)
def test_every_layout_gives_the_same_bits_of_every_manner_of_steps(
    monkeypatch: pytest.MonkeyPatch, layouts: list[Layout], manner: dict, precision: str
) -> None:
    """Hidden layers of 6 columns: rows of factors are padded, and their squares add up over the padding."""
    optimizer = {**manner, "weight_decay": 0.05}
    specs = specs_of(*SHAPES["5 x 7, depth 3, 6 wide"], precision=precision, optimizer=optimizer)
    chosen = everything(complete(specs))
    for layout in layouts:
        assert with_layout(monkeypatch, layout, specs) == chosen, layout


@pytest.mark.parametrize("rank", [11, 3])
def test_every_layout_gives_the_same_bits_of_a_symmetric_product(
    monkeypatch: pytest.MonkeyPatch, layouts: list[Layout], rank: int
) -> None:
    specs = specs_of([11, 11], 2, None, 60, model={"kind": "symmetric_matrix", "rank": rank})
    chosen = everything(complete(specs))
    for layout in layouts:
        assert with_layout(monkeypatch, layout, specs) == chosen, layout


MEASURED = {
    "4 x 4, depth 3": ([4, 4], {"kind": "deep_matrix", "depth": 3}, 10),
    "5 x 7, depth 2, 6 wide, rank one": ([5, 7], {"kind": "deep_matrix", "depth": 2, "hidden_width": 6}, 21),
    "6 x 6, symmetric, normalised": ([6, 6], {"kind": "symmetric_matrix", "rank": 3}, 36),
    "9 x 3, depth 1": ([9, 3], {"kind": "deep_matrix", "depth": 1}, 5),
    "13 x 21, depth 4": ([13, 21], {"kind": "deep_matrix", "depth": 4}, 150),
    "3 x 2, depth 3": ([3, 2], {"kind": "deep_matrix", "depth": 3}, 2),
}
ENSEMBLES = {"rank one": {"measurement": "rank_one"}, "normalised": {"measurement": "gaussian_normalised"}}


def sensed(shape: list[int], model: dict, measurements: int, name: str = "", **changes) -> list[RunSpec]:
    """Three runs of linear measurements, which two of them share."""
    problem = {"kind": "low_rank_sensing", "shape": shape, "rank": 1, "norm": 2.0, "measurements": measurements}
    problem |= next((parts for end, parts in ENSEMBLES.items() if name.endswith(end)), {})
    common = {"model": model, "loss": "mse", "optimizer": {"kind": "momentum", "learning_rate": 0.01, "beta": 0.5}}
    common |= {"init": {"kind": "gaussian", "std": 0.4}, "stop": {"max_steps": 60, "loss_below": 1e-2}}
    return [
        spec(**{**common, "record": {"every": 7}, **changes}, problem={**problem, "seed": seed // 2}, seed=seed)
        for seed in range(3)
    ]


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", MEASURED)
def test_every_layout_gives_the_same_bits_of_measurements(
    monkeypatch: pytest.MonkeyPatch, layouts: list[Layout], name: str, precision: str
) -> None:
    specs = sensed(*MEASURED[name], name, precision=precision)
    chosen = everything(complete(specs))
    assert not any(map(fused_limit, specs))
    for layout in layouts:
        if name == "3 x 2, depth 3" and layout in BY_COLUMNS:  # which takes four measurements and more
            continue
        assert with_layout(monkeypatch, layout, specs) == chosen, layout
        assert with_layout(monkeypatch, layout, specs[:2]) == everything(complete(specs[:2])), layout
    for member, single in enumerate(specs):
        assert complete([single], [3, 20]).run(0) == complete(specs).run(member)


@pytest.mark.parametrize("loss", [{"kind": "huber", "delta": 0.5}, {"kind": "lp", "p": 3.0}], ids=["huber", "lp"])
def test_every_layout_gives_the_same_bits_of_losses_of_measurements(
    monkeypatch: pytest.MonkeyPatch, layouts: list[Layout], loss: dict
) -> None:
    specs = sensed(*MEASURED["5 x 7, depth 2, 6 wide, rank one"], loss=loss)
    chosen = everything(complete(specs))
    for layout in layouts:
        assert with_layout(monkeypatch, layout, specs) == chosen, layout


@pytest.mark.parametrize("name", MEASURED)
def test_measurements_agree_with_the_torch_engine(name: str) -> None:
    specs = sensed(*MEASURED[name], name)
    ours, theirs = complete(specs), complete(specs, engine=torch.advance)
    assert ours.losses.keys() == theirs.losses.keys()
    assert list(ours.losses.values()) == pytest.approx([theirs.losses[key] for key in ours.losses], rel=1e-10)
    assert ours.batch.states == pytest.approx(theirs.batch.states, rel=1e-9, abs=1e-12)


def test_runs_that_share_measurements_go_side_by_side() -> None:
    specs = sensed([13, 21], {"kind": "deep_matrix", "depth": 4}, 150) * 3
    batch = descents(specs)
    shared, apart = (fused.program_of(batch, 9, "cpu", alike).layout for alike in (True, False))
    assert (shared, apart) == ("lanes", "columns")
    assert fused.program_of(batch, 1, "cpu", True).layout == "columns"


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_agrees_with_the_torch_engine(shape: tuple) -> None:
    specs = specs_of(*shape, stop={"max_steps": 60})
    ours, theirs = complete(specs), complete(specs, engine=torch.advance)
    assert ours.losses.keys() == theirs.losses.keys()
    assert list(ours.losses.values()) == pytest.approx([theirs.losses[key] for key in ours.losses], rel=1e-10)
    assert ours.batch.states == pytest.approx(theirs.batch.states, rel=1e-9, abs=1e-12)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(st.integers(1, 12), st.lists(st.integers(1, 50), max_size=4), st.sampled_from(list(SHAPES)[:4]))
def test_alone_equals_batched_and_split(runs: int, cuts: list[int], shape: str) -> None:
    base = specs_of(*SHAPES[shape])[0]
    specs = [base.model_copy(update={"seed": seed}) for seed in range(runs)]
    batched = complete(specs, cuts)
    for member, single in enumerate(specs):
        assert complete([single]).run(0) == batched.run(member)


def test_a_large_run_that_diverges_keeps_its_last_finite_state() -> None:
    specs = specs_of([20, 20], 3, None, 200, optimizer={"kind": "gradient_descent", "learning_rate": 5.0})
    ours, theirs = complete(specs), complete(specs, engine=torch.advance)
    assert ours.batch.outcomes == theirs.batch.outcomes
    assert ours.batch.steps.tolist() == theirs.batch.steps.tolist()
    assert ours.batch.states == pytest.approx(theirs.batch.states, rel=1e-6)


def test_a_batch_changes_its_layout_as_its_runs_end() -> None:
    rates = [0.05, 0.02, 0.01, 0.004, 0.002, 0.001, 0.0005, 0.0002]
    specs = [
        specs_of([5, 5], 3, None, 25, optimizer={"kind": "gradient_descent", "learning_rate": rate})[0]
        for rate in rates
    ]
    layouts = {program.layout for program in map(_program, [specs, specs[:1]])}
    assert layouts == {"lanes", "columns"}
    batched = complete(specs)
    for member, single in enumerate(specs):
        assert complete([single]).run(0) == batched.run(member)


def _program(specs: list[RunSpec]) -> Program:
    return fused.program_of(descents(specs), len(specs), "cpu")


def test_vectors_are_those_of_the_processor() -> None:
    assert vector_bytes() == 64 if HAS_AVX512 else vector_bytes() in (16, 32)
    assert _program([spec(seed=seed) for seed in range(64)]).lanes == vector_bytes() // 8


@pytest.mark.parametrize("observed", [35, 10])
def test_a_start_that_overflows_ends_the_same_in_every_layout(
    monkeypatch: pytest.MonkeyPatch, layouts: list[Layout], observed: int
) -> None:
    specs = specs_of([5, 7], 3, None, observed, init={"kind": "gaussian", "std": 1e200})
    chosen = everything(complete(specs))
    for layout in layouts:
        assert with_layout(monkeypatch, layout, specs) == chosen, layout
