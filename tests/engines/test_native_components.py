"""The CP factorisation in compiled code: the gradients of torch, and the same bits whatever is around a run."""

import gc
import weakref
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers.losses import fitted
from tests.helpers.specs import run_whole
from workers.lab.models import base, cp_tensor, native_components
from workers.lab.models.cp_tensor import product
from workers.lab.models.native_components import NativeComponentGradient, NativeSparseGradient
from workers.lab.native import components
from workers.lab.native.components import Entries, NativeComponents
from workers.runs.losses import LOSSES
from workers.runs.spec import RunSpec

SHAPES = [
    ((3, 2, 4), 5),
    ((10, 10, 10), 100),
    ((7, 11, 5), 33),
    ((4, 9, 2, 6), 17),
    ((2, 3, 2, 2, 3), 3),
    ((5, 6), 4),
    ((1, 8, 9), 8),
    ((2,) * 9, 2),
]
DTYPES = [torch.float64, torch.float32]
every_shape = pytest.mark.parametrize(("shape", "rank"), SHAPES, ids=str)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def random_factors(shape: Sequence[int], rank: int, runs: int, dtype: torch.dtype) -> list[Tensor]:
    torch.manual_seed(rank)
    return [torch.randn(runs, dimension, rank, dtype=dtype) for dimension in shape]


def evaluated(factors: list[Tensor], signal: Tensor, entries: Entries | None = None) -> tuple[Tensor, list[Tensor]]:
    """The product (or its entries), and the gradients."""
    gradient, out = (
        [torch.full(factor.shape, torch.nan, dtype=factor.dtype) for factor in factors],
        torch.full_like(signal, torch.nan),
    )
    multiply, pull_back = NativeComponents(gradient, out, entries).bind(factors)
    multiply()
    pull_back(signal)
    return out, gradient


@every_dtype
@every_shape
def test_products_and_gradients_are_those_of_autograd(shape, rank, dtype):
    factors = [factor.requires_grad_() for factor in random_factors(shape, rank, 2, dtype)]
    expected = product(factors)
    signal = torch.randn_like(expected)
    slopes = torch.autograd.grad((expected * signal).sum(), factors)
    out, gradient = evaluated([factor.detach() for factor in factors], signal)
    torch.testing.assert_close(out, expected.detach())
    for ours, theirs in zip(gradient, slopes, strict=True):
        torch.testing.assert_close(
            ours, theirs, rtol=10 * torch.finfo(dtype).eps ** 0.75, atol=1e-4 * float(theirs.abs().max())
        )


@every_dtype
@every_shape
def test_few_entries_are_those_of_the_product(shape, rank, dtype):
    factors = random_factors(shape, rank, 3, dtype)
    full, size = product(factors), product(factors)[0].numel()
    chosen = [np.flatnonzero(np.random.default_rng(run).random(size) < 0.3) for run in range(3)]
    rows, columns = np.divmod(np.concatenate(chosen), full.shape[2])
    starts = np.cumsum([0, *map(len, chosen)])
    entries = Entries(*(torch.from_numpy(part.astype(np.int64)) for part in (starts, rows, columns)))
    runs = np.repeat(np.arange(3), np.diff(starts))
    slopes = torch.randn(len(rows), dtype=dtype)
    signal = torch.zeros_like(full)
    signal[runs, rows, columns] = slopes
    out, gradient = evaluated(factors, slopes, entries)
    torch.testing.assert_close(out, full[runs, rows, columns])
    for ours, theirs in zip(gradient, evaluated(factors, signal)[1], strict=True):
        torch.testing.assert_close(ours, theirs)


@every_dtype
@every_shape
def test_a_run_has_the_same_bits_alone_and_with_vectors_of_any_length(monkeypatch, shape, rank, dtype):
    factors = random_factors(shape, rank, 3, dtype)
    signal = torch.randn_like(product(factors))
    out, gradient = evaluated(factors, signal)
    assert not torch.equal(out[0], out[1])
    for run in range(3):
        alone = evaluated([factor[run : run + 1].clone() for factor in factors], signal[run : run + 1].clone())
        assert torch.equal(alone[0][0], out[run])
        assert all(torch.equal(ours[0], theirs[run]) for ours, theirs in zip(alone[1], gradient, strict=True))
    for vector in (16, 32, 64):
        with monkeypatch.context() as patched:
            patched.setattr(components, "vector_bytes", lambda vector=vector: vector)
            other = evaluated(factors, signal)
        assert torch.equal(other[0], out), vector
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(other[1], gradient, strict=True)), vector


def whole_evaluation(specs: list[RunSpec], factors: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Twice the losses, and the gradients, of a single call."""
    gradient = [torch.full(factor.shape, torch.nan, dtype=factor.dtype) for factor in factors]
    losses = torch.full((len(specs), 1, 1), torch.nan, dtype=factors[0].dtype)
    base.build_model(specs, gradient).bind(factors, losses)()
    return losses, gradient


@pytest.mark.parametrize("observed", [30, 900], ids=["few", "many"])
@pytest.mark.parametrize("single_call", [True, False])
def test_a_bound_evaluation_keeps_the_memory_that_it_reads_and_writes(monkeypatch, observed, single_call):
    """An optimiser may bind factors and losses that nobody else keeps, as those of a nearby point."""
    if not single_call:
        monkeypatch.setattr(native_components, "_losses_of", lambda *_: None)
    problem = {"kind": "low_rank_completion", "shape": [11, 10, 13], "rank": 2, "observed": observed, "norm": 30.0}
    specs = [RunSpec.model_validate({**runs_of(observed)[0].resolved(), "problem": problem})]
    bound = random_factors((11, 10, 13), 6, 1, torch.float64)
    losses = torch.zeros(1, 1, 1, dtype=torch.float64)
    evaluate = base.build_model(specs, [torch.zeros_like(factor) for factor in bound]).bind(bound, losses)
    kept = [weakref.ref(tensor) for tensor in (*bound, losses)]
    del bound, losses
    gc.collect()
    assert all(tensor() is not None for tensor in kept)
    evaluate()


@pytest.mark.slow
@every_dtype
@pytest.mark.parametrize("observed", [30, 900], ids=["few", "many"])
@pytest.mark.parametrize("loss", [loss.example for loss in LOSSES.values()], ids=LOSSES)
def test_losses_are_evaluated_in_the_same_call(monkeypatch, loss, observed, dtype):
    problem = {"kind": "low_rank_completion", "shape": [11, 10, 13], "rank": 2, "observed": observed, "norm": 30.0}
    parts = {**fitted(loss, problem), "precision": str(dtype).removeprefix("torch.")}
    specs = [RunSpec.model_validate({**runs_of(observed)[0].resolved(), **parts, "seed": seed}) for seed in range(3)]
    factors = random_factors((11, 10, 13), 6, 3, dtype)
    losses, gradient = whole_evaluation(specs, factors)
    assert losses.isfinite().all()
    for run in range(3):
        alone = whole_evaluation(specs[run : run + 1], [factor[run : run + 1].clone() for factor in factors])
        assert torch.equal(alone[0][0], losses[run])
        assert all(torch.equal(ours[0], theirs[run]) for ours, theirs in zip(alone[1], gradient, strict=True))
    for vector in (16, 32) if loss["kind"] == "lp" else ():
        with monkeypatch.context() as patched:
            patched.setattr(components, "vector_bytes", lambda vector=vector: vector)
            other = whole_evaluation(specs, factors)
        assert torch.equal(other[0], losses), vector
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(other[1], gradient, strict=True)), vector
    for module in (base, cp_tensor):
        monkeypatch.setattr(module, "is_available", lambda *_: False)
    plain, slopes = whole_evaluation(specs, factors)
    torch.testing.assert_close(losses, plain)
    for ours, theirs in zip(gradient, slopes, strict=True):
        torch.testing.assert_close(
            ours, theirs, rtol=1e-3 if dtype == torch.float32 else 1e-9, atol=1e-4 * float(theirs.abs().max())
        )


def test_runs_may_stand_apart_in_memory():
    factors = random_factors((3, 4, 5), 6, 2, torch.float64)
    signal = torch.randn_like(product(factors))
    apart = [factor.new_empty(2, 7 + factor[0].numel())[:, 7:].view_as(factor).copy_(factor) for factor in factors]
    assert not any(factor.is_contiguous() for factor in apart)
    (out, gradient), (expected, slopes) = evaluated(apart, signal), evaluated(factors, signal)
    assert torch.equal(out, expected)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(gradient, slopes, strict=True))


def test_a_run_with_infinite_factors_leaves_the_others_alone():
    factors = random_factors((3, 4, 5), 6, 2, torch.float64)
    signal = torch.randn_like(product(factors))
    _, healthy = evaluated(factors, signal)
    factors[1][0, 2, 3] = torch.inf
    out, gradient = evaluated(factors, signal)
    assert not out[0].isfinite().all()
    assert all(torch.equal(ours[1], theirs[1]) for ours, theirs in zip(gradient, healthy, strict=True))


def runs_of(observed: int, rank: int = 20) -> list[RunSpec]:
    run = {
        "problem": {"kind": "low_rank_completion", "shape": [12, 12, 12], "rank": 2, "observed": observed},
        "model": {"kind": "cp_tensor", "rank": rank},
        "init": {"kind": "gaussian", "std": 0.2},
        "optimizer": {"kind": "momentum", "learning_rate": 0.05},
        "stop": {"max_steps": 200},
        "record": {"every": 50},
        "engine": "torch",
    }
    return [RunSpec.model_validate({**run, "seed": seed}) for seed in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize(("observed", "kind"), [(120, NativeSparseGradient), (900, NativeComponentGradient)])
def test_runs_go_as_they_do_without_it(monkeypatch, observed, kind):
    """And without it, as on a worker that cannot compile, a run has the same bits alone and in a batch."""
    specs, made = runs_of(observed), []
    bind = kind.bind
    monkeypatch.setattr(kind, "bind", lambda self, *rest: made.append(kind) or bind(self, *rest))
    native = run_whole(*specs)
    assert made
    for module in (base, cp_tensor):
        monkeypatch.setattr(module, "is_available", lambda *_: False)
    made.clear()
    plain, alone = run_whole(*specs), run_whole(specs[1])
    assert not made
    np.testing.assert_array_equal(alone.progress[0].checkpoint.state, plain.progress[1].checkpoint.state)
    for ours, theirs in zip(native.progress, plain.progress, strict=True):
        np.testing.assert_allclose(ours.checkpoint.state, theirs.checkpoint.state, rtol=1e-8, atol=1e-11)
