"""Several eigenvalues and the trace of the Hessian, against the whole of it by torch.func, for every model and loss."""

import numpy as np
import pytest
import torch

from tests.helpers.slices import EXACT, assert_same, points_of, points_of_run, run_in_slices
from tests.helpers.specs import run_whole, spec
from tests.unit.test_sharpness import MODELS, hessian_of, run_of
from workers.lab.metrics import hessian_eigenvalues, hessian_trace
from workers.lab.metrics.state import State
from workers.runs.losses import LOSSES
from workers.runs.metrics import gradients_per_point, multiply_adds_per_point
from workers.runs.metrics.work import HESSIAN_EIGENVALUES

pytestmark = pytest.mark.slow

RECORD = {"metrics": ["hessian_eigenvalues", "hessian_trace"]}


def recording(run, **parts):
    return spec(**run.resolved() | {"record": RECORD} | parts)


def points_around(runs, member, scale=1.0):
    """Points with their flat numbers and whole Hessians."""
    generator = torch.Generator().manual_seed(3)
    shapes = runs[0].factor_shapes
    factors = [scale * torch.randn(len(member), *shape, generator=generator, dtype=torch.float64) for shape in shapes]
    flat = torch.cat([factor.flatten(1) for factor in factors], dim=1)
    hessians = [hessian_of(runs[run], numbers) for run, numbers in zip(member, flat, strict=True)]
    return State(runs, np.array(member), factors), hessians


@pytest.mark.parametrize("problem", ["completion", "sensing"])
@pytest.mark.parametrize("loss", [loss.example for loss in LOSSES.values()], ids=LOSSES)
@pytest.mark.parametrize("model", MODELS)
def test_they_are_those_of_the_whole_hessian(model, problem, loss):
    runs = [recording(run_of(model, problem, loss, seed)) for seed in (0, 1)]
    state, hessians = points_around(runs, [0, 0, 1])
    values = [torch.linalg.eigvalsh(hessian).flip(0)[:HESSIAN_EIGENVALUES] for hessian in hessians]
    measured = hessian_eigenvalues.hessian_eigenvalues(state)
    torch.testing.assert_close(measured, torch.stack(values), rtol=1e-9, atol=1e-9)
    traces = torch.stack([hessian.trace() for hessian in hessians])
    torch.testing.assert_close(hessian_trace.hessian_trace(state), traces, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("loss", [loss.example for loss in LOSSES.values() if not loss.takes_labels])
@pytest.mark.parametrize("samples", [3, 9])
def test_traces_of_regressions_with_several_outputs(samples, loss):
    problem = {"kind": "random_regression", "samples": samples, "dimension": 4, "outputs": 3}
    parts = {"model": {"kind": "deep_matrix", "depth": 2}, "init": {"kind": "gaussian", "std": 0.5}}
    run = spec(problem=problem, loss=loss, record=RECORD, **parts)
    state, hessians = points_around([run], [0, 0])
    traces = torch.stack([hessian.trace() for hessian in hessians])
    torch.testing.assert_close(hessian_trace.hessian_trace(state), traces, rtol=1e-11, atol=1e-11)


def large(side=15, **parts):
    problem = {"kind": "low_rank_completion", "shape": [side, side], "rank": 2, "norm": 10.0, "observed": side**2 // 2}
    return spec(problem=problem, model={"kind": "deep_matrix", "depth": 2}, record=RECORD, **parts)


@pytest.mark.parametrize("start", ["random", "multiple of the identity"])
def test_block_lanczos_finds_them_as_often_as_they_are_repeated(start, monkeypatch):
    monkeypatch.setattr(hessian_eigenvalues, "LARGEST_WHOLE_HESSIAN", 0)
    run = large(init={"kind": "identity", "scale": 1.0}, engine="torch")
    all_observed = {"kind": "completion", "shape": [15, 15], "observations": []}
    all_observed["observations"] = [{"index": [i, j], "value": 2.0 * (i == j)} for i in range(15) for j in range(15)]
    if start == "random":
        state, (hessian, _) = points_around([run], [0, 0])
    else:  # whose eigenvalues are 2, 0 and -1 alone, each many times
        run = spec(**run.resolved() | {"problem": all_observed})
        eye = torch.eye(15, dtype=torch.float64).repeat(2, 1, 1)
        state = State([run], np.zeros(2, dtype=np.int64), [eye, eye])
        hessian = hessian_of(run, torch.cat([eye[0].flatten()] * 2))
    expected = torch.linalg.eigvalsh(hessian).flip(0)[:HESSIAN_EIGENVALUES]
    measured = hessian_eigenvalues.hessian_eigenvalues(state)
    torch.testing.assert_close(measured[0], expected, rtol=1e-9, atol=1e-9)


def test_what_did_not_settle_is_not_a_number_and_nothing_after_it(monkeypatch):
    monkeypatch.setattr(hessian_eigenvalues, "LARGEST_WHOLE_HESSIAN", 0)
    monkeypatch.setattr(hessian_eigenvalues, "MOST_BLOCK_PRODUCTS", 64)
    monkeypatch.setattr(hessian_eigenvalues, "SETTLED", 1e-11)
    state, (hessian, *_) = points_around([large()], [0, 0])
    values = hessian_eigenvalues.hessian_eigenvalues(state)[0]
    settled = values.isfinite()
    assert not settled.all()
    assert settled.long().diff().le(0).all()
    expected = torch.linalg.eigvalsh(hessian).flip(0)[:HESSIAN_EIGENVALUES]
    torch.testing.assert_close(values[settled], expected[settled], rtol=1e-9, atol=0)


@pytest.mark.parametrize("size", [1e-60, 1e-10, 1e10, 1e60])
def test_a_quadratic_has_the_same_hessian_everywhere(size):
    model = {"kind": "deep_matrix", "depth": 1}
    run = spec(problem={"kind": "perturbed_2x2"}, model=model, record=RECORD)
    factors = [size * torch.randn(2, 2, 2, dtype=torch.float64)]
    state = State([run], np.zeros(2, dtype=np.int64), factors)
    assert hessian_eigenvalues.hessian_eigenvalues(state)[0].tolist() == [1.0, 1.0, 1.0, 0.0]
    assert hessian_trace.hessian_trace(state)[0] == 3.0


@pytest.mark.parametrize("points", [1, 40])
@pytest.mark.parametrize("model", MODELS)
def test_columns_at_once_have_the_bits_of_columns_one_by_one(model, points, monkeypatch):
    """In whole parts, of which the last is smaller, and all at once."""
    state, _ = points_around([recording(run_of(model))], [0] * points)
    measured = []
    for columns in (1, 5, 10**6):
        monkeypatch.setattr("workers.lab.metrics.hessians._columns_at_once", lambda *_, columns=columns: columns)
        measured.append(hessian_eigenvalues.hessian_eigenvalues(state).numpy().tobytes())
    assert measured == measured[:1] * 3


@pytest.mark.parametrize("written_out", [True, False])
def test_split_equals_unsplit_and_alone_equals_batched_to_the_bit(written_out, monkeypatch):
    if not written_out:
        monkeypatch.setattr(hessian_eigenvalues, "LARGEST_WHOLE_HESSIAN", 0)
        monkeypatch.setattr(hessian_eigenvalues, "MOST_BLOCK_PRODUCTS", 256)
    side = 8 if written_out else 12  # Lanczos takes no fewer numbers than its basis may have vectors
    specs = [
        large(
            side, init={"kind": "gaussian", "std": 0.3}, seed=seed, stop={"max_steps": 9 + seed}, engine="torch"
        ).model_copy(update={"record": spec(record={**RECORD, "every": 4}).record})
        for seed in range(2)
    ]
    whole = run_whole(*specs)
    assert np.isfinite(whole.points.columns["hessian_eigenvalues"]).all()
    assert_same(run_in_slices(specs, [3, 50])[1], points_of(whole), **EXACT)
    for run, one in enumerate(specs):
        assert_same(points_of(run_whole(one)), points_of_run(whole, run), **EXACT)


def test_a_costly_metric_is_priced():
    plain, traced = large(), spec(**large().resolved() | {"record": {"metrics": ["hessian_trace"]}})
    assert gradients_per_point(traced) == 0
    assert multiply_adds_per_point(traced) > 0
    assert gradients_per_point(plain) == 3 * 450
    assert multiply_adds_per_point(plain) > multiply_adds_per_point(traced)
