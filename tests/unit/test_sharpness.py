"""Sharpness: the top eigenvalue of the full Hessian by torch.func, for every model, written out or by Lanczos."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.losses import fitted, loss_by_definition
from tests.helpers.slices import EXACT, assert_same, points_of, run_in_slices
from tests.helpers.specs import run_whole, spec
from workers.lab.metrics import sharpness
from workers.lab.metrics.sharpness import lanczos
from workers.lab.metrics.state import State
from workers.runs.losses import LOSSES, HalfSse

MODELS = {
    "depth 1": {"kind": "deep_matrix", "depth": 1},
    "depth 2": {"kind": "deep_matrix", "depth": 2},
    "depth 4": {"kind": "deep_matrix", "depth": 4, "hidden_width": 3},
    "symmetric": {"kind": "symmetric_matrix"},
    "symmetric of rank 1": {"kind": "symmetric_matrix", "rank": 1},
    "components of a matrix": {"kind": "cp_tensor", "rank": 3},
    "components of a tensor": {"kind": "cp_tensor", "rank": 4},
}
HALF_SSE = HalfSse.example
RECORD = {"metrics": ["sharpness"]}


def run_of(model, problem="completion", loss=HALF_SSE, seed=0):
    shape = [3, 2, 3] if "tensor" in model else [3, 3]
    amount = {"observed": 6} if problem == "completion" else {"measurements": 5}
    fields = {"kind": f"low_rank_{problem}", "shape": shape, "rank": 2, "norm": 2.0, "seed": seed, **amount}
    return spec(**fitted(loss, fields), model=MODELS[model], init={"kind": "gaussian", "std": 0.5}, record=RECORD)


def loss_of(run, flat):
    """The loss of one run at its trained numbers, straight from its definition."""
    sizes = [rows * columns for rows, columns in run.factor_shapes]
    factors = [part.reshape(s) for part, s in zip(flat.split(sizes), run.factor_shapes, strict=True)]
    match run.model.kind:
        case "symmetric_matrix":
            whole = factors[0] @ factors[0].T
        case "cp_tensor":
            modes = "abcdefgh"[: len(factors)]
            whole = torch.einsum(",".join(f"{mode}r" for mode in modes) + f"->{modes}", *factors)
        case _:
            whole = factors[0]
            for factor in factors[1:]:
                whole = whole @ factor
    return loss_by_definition(run, whole)


def hessian_of(run, flat):
    return torch.func.jacrev(torch.func.jacrev(lambda x: loss_of(run, x)))(flat)


def compared(model, problem, loss):
    """Sharpness of points of two runs, and the top eigenvalues of their full Hessians."""
    runs = [run_of(model, problem, loss, seed) for seed in (0, 1)]
    member = np.array([0, 0, 0, 1, 1])
    generator = torch.Generator().manual_seed(3)
    shapes = runs[0].factor_shapes
    factors = [torch.randn(5, *shape, generator=generator, dtype=torch.float64) for shape in shapes]
    found = sharpness.sharpness(State(runs, member, factors))
    flat = torch.cat([factor.flatten(1) for factor in factors], dim=1)
    hessians = [hessian_of(runs[member[i]], flat[i]) for i in range(5)]
    return found, torch.stack([torch.linalg.eigvalsh(hessian)[-1] for hessian in hessians])


@pytest.mark.slow
@pytest.mark.parametrize("most_written_out", [64, 0], ids=["written out", "lanczos"])
@pytest.mark.parametrize("problem", ["completion", "sensing"])
@pytest.mark.parametrize("loss", [loss.example for loss in LOSSES.values()], ids=LOSSES)
@pytest.mark.parametrize("model", MODELS)
def test_it_is_the_top_eigenvalue_of_the_full_hessian(model, problem, loss, most_written_out, monkeypatch):
    monkeypatch.setattr(sharpness, "MOST_WRITTEN_OUT", most_written_out)
    found, expected = compared(model, problem, loss)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def test_a_large_model_has_it_too():
    run = spec(
        problem={"kind": "low_rank_completion", "shape": [20, 20], "rank": 3, "norm": 20.0, "observed": 200},
        model={"kind": "deep_matrix", "depth": 3},
        init={"kind": "gaussian", "std": 0.1},
        record=RECORD,
    )
    generator = torch.Generator().manual_seed(0)
    factors = [0.5 * torch.randn(1, 20, 20, generator=generator, dtype=torch.float64) for _ in range(3)]
    found = sharpness.sharpness(State([run], np.zeros(1, dtype=np.int64), factors))
    flat = torch.cat([factor.flatten() for factor in factors])
    expected = torch.linalg.eigvalsh(hessian_of(run, flat))[-1]
    assert float(found[0]) == pytest.approx(float(expected), rel=1e-8)


@given(st.integers(1, 30), st.integers(0, 99))
def test_lanczos_finds_the_largest_not_the_largest_in_size(size, seed):
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(rng.standard_normal((size, size)))[0]
    spectrum = np.array([rng.uniform(-5, 1, size), np.repeat(rng.uniform(-3, -1), size)])  # a multiple of the identity
    matrices = torch.from_numpy(np.einsum("ij,pj,kj->pik", turned, spectrum, turned))
    start = torch.from_numpy(rng.standard_normal(size))
    found = lanczos(lambda v: (matrices @ v[:, :, None])[:, :, 0], (start / start.norm()).repeat(2, 1))
    assert found.numpy() == pytest.approx(spectrum.max(axis=1), rel=1e-8, abs=1e-8)


def test_what_did_not_settle_is_not_a_number(monkeypatch):
    monkeypatch.setattr(sharpness, "MOST_HESSIAN_PRODUCTS", 2)
    matrix = torch.diag(torch.linspace(-1, 1, 50, dtype=torch.float64))
    start = torch.ones(1, 50, dtype=torch.float64) / 50**0.5
    assert lanczos(lambda v: v @ matrix, start).isnan().all()


def test_only_runs_that_ask_have_it():
    quiet = run_of("depth 2").model_copy(update={"record": spec().record})
    result = run_whole(run_of("depth 2"), quiet)
    found = result.points.columns["sharpness"]
    assert np.isfinite(found[result.points.member == 0]).all()
    assert np.isnan(found[result.points.member == 1]).all()


@pytest.mark.slow
@settings(max_examples=10)
@given(st.sampled_from(list(MODELS)), st.sampled_from(["completion", "sensing"]), st.integers(1, 40))
def test_split_equals_unsplit_and_alone_equals_batched_to_the_bit(model, problem, cut):
    specs = [
        spec(**run_of(model, problem, seed=seed).resolved() | {"stop": {"max_steps": 60}, "seed": seed})
        for seed in range(3)
    ]
    whole = points_of(run_whole(*specs))
    assert_same(run_in_slices(specs, [cut, 50])[1], whole, **EXACT)
    if "tensor" in model:  # whose alone = batched is to rounding
        return
    for i, one in enumerate(specs):
        own = {key: point for key, point in whole.items() if key[0] == i}
        assert_same({(i, step): point for (_, step), point in points_of(run_whole(one)).items()}, own, **EXACT)


@pytest.mark.parametrize("engine", ["fused", "torch"])
@pytest.mark.parametrize("rate", [0.1, 0.2])
def test_descent_takes_it_to_two_over_the_learning_rate(engine, rate):
    run = spec(
        init={"kind": "gaussian", "std": 1e-3, "std_of": "product", "balanced": True, "determinant": "positive"},
        optimizer={"kind": "gradient_descent", "learning_rate": rate},
        stop={"max_steps": 3000},
        record={"every": 1, **RECORD},
        engine=engine,
    )
    columns = run_whole(run).points.columns
    met = int(np.argmax(columns["sharpness"] > 2 / rate))
    rises = int(np.argmax(np.diff(columns["loss"]) > 0))
    assert 0 < met < rises < 3000  # the flow becomes unstable, and some steps later that shows
    assert columns["unobserved_entry"][met] == pytest.approx((2 / rate) ** 0.75, rel=0.2)
    after = columns["sharpness"][rises + 200 :]
    assert np.median(after) == pytest.approx(2 / rate, rel=0.1)
