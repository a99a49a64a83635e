"""Metrics of tensors against their definitions written out in numpy, and the rank search on tensors of known rank."""

import numpy as np
import pytest
import torch

from tests.helpers.specs import member, run_whole, spec
from workers.lab import execution
from workers.lab.metrics.tensor import tensor_metrics
from workers.lab.metrics.tensor_rank import fits_rank, rank_bound
from workers.lab.rank_search import advance_search, begin_search, is_done, search_summary
from workers.records import Batch, Budget, Outcome
from workers.runs.costs import batch_numbers, state_numbers
from workers.runs.initializers import starting_factors
from workers.runs.observations import observe

ASKED = {"metrics": ["matricisation_ranks", "matricisation_effective_ranks"], "entries": [[0, 0, 0], [2, 1, 3]]}


def tensor_spec(problem=None, **parts):
    fields = {"kind": "low_rank_completion", "shape": [3, 2, 4], "rank": 2, "observed": 9, "seed": 1, **(problem or {})}
    return spec(
        problem=fields,
        **{
            "model": {"kind": "cp_tensor", "rank": 12},
            "init": {"kind": "gaussian", "std": 0.3},
            "record": ASKED,
            **parts,
        },
    )


def low_rank(shape, rank, seed=0):
    return observe(tensor_spec({"shape": shape, "rank": rank, "seed": seed, "norm": 3.0}, record={}).problem).target


def test_every_metric_equals_its_definition():
    run, rng = tensor_spec(), np.random.default_rng(0)
    factors = [[rng.standard_normal(shape) for shape in run.factor_shapes] for _ in range(5)]
    rows = np.array([np.concatenate([f.ravel() for f in one]) for one in factors])
    found, target = tensor_metrics([run], np.zeros(5, dtype=np.int64), rows), observe(run.problem).target
    for i, one in enumerate(factors):
        whole = np.einsum("ar,br,cr->abc", *one)
        norms = np.sort(np.prod([np.linalg.norm(f, axis=0) for f in one], axis=0))[::-1]
        assert found["frobenius_norm"][i] == pytest.approx(np.linalg.norm(whole))
        assert found["reconstruction_error"][i] == pytest.approx(
            np.linalg.norm(whole - target) / np.linalg.norm(target)
        )
        assert found["component_norms"][i] == pytest.approx(norms[:10])
        assert found["entries"][i] == pytest.approx([whole[0, 0, 0], whole[2, 1, 3]])
        for mode in range(3):
            s = np.linalg.svd(np.moveaxis(whole, mode, 0).reshape(whole.shape[mode], -1), compute_uv=False)
            p = s / s.sum()
            assert found["matricisation_ranks"][i][mode] == np.count_nonzero(s > 1e-6 * s[0])
            assert found["matricisation_effective_ranks"][i][mode] == pytest.approx(np.exp(-(p * np.log(p)).sum()))


def test_the_gradient_norm_is_autograd_s():
    run, rng = tensor_spec(), np.random.default_rng(0)
    factors = [torch.from_numpy(rng.standard_normal(shape)).requires_grad_() for shape in run.factor_shapes]
    observed = observe(run.problem)
    residual = (torch.einsum("ar,br,cr->abc", *factors) - torch.from_numpy(observed.values))[observed.mask]
    gradient = torch.autograd.grad(residual.square().mean(), factors)
    row = np.concatenate([f.detach().numpy().ravel() for f in factors])
    found = tensor_metrics([run], np.zeros(1, dtype=np.int64), row[None])["gradient_norm"][0]
    assert found == pytest.approx(float(torch.cat([g.flatten() for g in gradient]).norm()))


def test_a_point_that_is_not_finite_is_not_a_number_and_spoils_no_other():
    rows = np.ones((2, 12 * 9))
    rows[0, 5] = np.inf
    found = tensor_metrics([tensor_spec()], np.zeros(2, dtype=np.int64), rows)
    assert np.isnan(found["frobenius_norm"][0])
    assert np.isnan(found["component_norms"][0]).all()
    assert np.isfinite(found["component_norms"][1]).all()


@pytest.mark.parametrize(("shape", "rank"), [((4, 4, 4), 1), ((4, 5, 6), 3), ((3, 3, 3, 3), 2), ((3, 4, 5), 5)])
def test_the_rank_of_a_known_tensor_is_found(shape, rank):
    target = low_rank(list(shape), rank)
    assert rank_bound(target) <= rank
    assert fits_rank(target, rank)
    assert rank == 1 or not fits_rank(target, rank - 1)


def test_a_zero_tensor_has_rank_zero_and_a_small_one_too():
    assert rank_bound(np.zeros((3, 3, 3))) == 0
    assert rank_bound(np.full((3, 3, 3), 1e-4)) == 0  # its mean square is below the tolerance


def test_a_search_finds_all_ranks_and_the_linear_baseline():
    run = tensor_spec({"shape": [4, 4, 4], "observed": 30}, record={})
    search, state = begin_search(Outcome.CONVERGED), np.concatenate([f.ravel() for f in starting_factors(run)])
    while not is_done(run, search):
        search = advance_search(run, search, state)
    found, observed = search_summary(run, search), observe(run.problem)
    assert found["target_rank"] == 2
    assert found["linear_rank"] > 2
    error = np.linalg.norm(observed.values - observed.target) / np.linalg.norm(observed.target)
    assert found["linear_reconstruction_error"] == pytest.approx(error)


def test_the_rank_of_a_matrix_needs_no_search():
    problem = {"kind": "low_rank_completion", "shape": [6, 5], "rank": 2, "observed": 30}
    run = spec(problem=problem, init={"kind": "gaussian", "std": 0.1}, stop={"max_steps": 1})
    summary = run_whole(run).progress[0].summary
    assert (summary["target_rank"], summary["linear_rank"], summary["linear_reconstruction_error"]) == (2, 2, 0.0)


def test_noise_is_added_to_what_is_observed_alone_and_is_nested():
    few, many = (observe(tensor_spec({"observed": m, "noise": 0.1}).problem) for m in (9, 20))
    clean = observe(tensor_spec().problem)
    assert np.array_equal(few.target, clean.target)
    assert np.std((many.values - many.target)[many.mask]) == pytest.approx(0.1, rel=0.5)
    assert np.array_equal(few.values[few.mask], many.values[few.mask])


def test_the_product_has_the_asked_standard_deviation():
    model, init = {"kind": "cp_tensor", "rank": 4}, {"kind": "gaussian", "std": 0.3, "std_of": "product"}
    starts = [starting_factors(tensor_spec(model=model, init=init, seed=seed)) for seed in range(2000)]
    assert np.std([np.einsum("ar,br,cr->abc", *one) for one in starts]) == pytest.approx(0.3, rel=0.1)


def test_the_loss_follows_the_order_unless_given():
    assert tensor_spec().loss.kind == "mse"
    assert tensor_spec(loss="half_sse").loss.kind == "half_sse"
    assert tensor_spec({"shape": [3, 4]}, record={}).loss.kind == "half_sse"
    assert spec().loss.kind == "half_sse"


def test_large_tensors_of_few_components_make_small_batches():
    large = tensor_spec({"shape": [60, 60, 60]}, model={"kind": "cp_tensor", "rank": 1}, record={})
    assert batch_numbers(large) > 10 * state_numbers(large)
    assert batch_numbers(tensor_spec()) == state_numbers(tensor_spec())


def test_a_batch_that_does_not_fit_is_computed_in_halves(monkeypatch):
    runs = [tensor_spec(seed=seed, stop={"max_steps": 20}) for seed in range(5)]
    whole, execute = run_whole(*runs), execution._execute

    def short_of_memory(batch, budget):
        if len(batch.members) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return execute(batch, budget)

    monkeypatch.setattr(execution, "_execute", short_of_memory)
    parts = execution.execute(Batch(tuple(member(run) for run in runs)), Budget(600))
    assert parts.points.member.tolist() == whole.points.member.tolist()
    assert parts.points.columns["step"].tolist() == whole.points.columns["step"].tolist()
    for ours, theirs in zip(parts.progress, whole.progress, strict=True):
        assert ours.last_point == theirs.last_point
        np.testing.assert_allclose(ours.checkpoint.state, theirs.checkpoint.state, rtol=1e-9)
