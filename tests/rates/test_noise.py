"""Mini-batches and noise: the steps that they take, the loss that is recorded, and a law that holds through noise."""

import numpy as np
import pytest
import torch

from tests.helpers.slices import assert_same_progress, points_of
from tests.helpers.specs import run_whole, spec
from tests.rates.disturbed import DISTURBANCES, LABELS, both_engines, descent, every_problem
from workers.lab.models.base import maths_of
from workers.lab.models.layout import split_factors
from workers.runs.draws import DISTRIBUTIONS, GRADIENT_STREAM, LABEL_STREAM
from workers.runs.engines import batch_key
from workers.runs.minibatches import Minibatches
from workers.runs.noise import Batch
from workers.runs.observations import observe
from workers.runs.problems import ObservedEntries
from workers.runs.theory.verdicts import columns_needed, judge


def factors_of(run):
    """The numbers of the factors at every step."""
    return np.asarray(run_whole(run).kept.factors)


def predicted(run, numbers):
    """What is observed of the product of the factors (1, numbers), (samples, numbers of a sample), and its values."""
    product = maths_of(run.model, run.problem.shape).product(split_factors(numbers, run.factor_shapes))[0]
    observed = observe(run.problem)
    if isinstance(observed, ObservedEntries):
        mask = torch.tensor(observed.mask)
        return product.view(run.problem.shape)[mask][:, None], torch.tensor(observed.values)[mask][:, None]
    outputs = torch.tensor(observed.outputs)
    return torch.tensor(observed.tensors) @ product.reshape(outputs.shape[1], -1).T, outputs


def gradient_by_definition(run, numbers, step):
    """The gradient that a step takes, of the loss over the samples of its batch, with the noise of the step."""
    factors = torch.tensor(numbers[None], requires_grad=True)
    values, observed = predicted(run, factors)
    batch, noise = run.optimizer.batch, run.optimizer.noise
    shares = torch.ones(len(values), 1, dtype=torch.float64)
    if batch is not None:
        shares = torch.tensor(Minibatches(batch, run.seed, len(values)).shares(step, 1)).view(-1, 1)
    if noise is not None and noise.kind == "label":
        drawn = DISTRIBUTIONS[noise.distribution](run.seed, LABEL_STREAM, values.numel()).draws(step, 1)
        observed = observed + noise.std * torch.tensor(drawn).view(values.shape)
    residuals = (values - observed).abs()
    phi = residuals.square() / 2
    if run.loss.kind == "huber":
        phi = torch.where(residuals <= run.loss.delta, phi, run.loss.delta * (residuals - run.loss.delta / 2))
    (run.loss.weight(run.problem.observation_count) * shares * phi).sum().backward()
    gradient = factors.grad.numpy()[0]
    if noise is not None and noise.kind == "gradient":
        drawn = DISTRIBUTIONS[noise.distribution](run.seed, GRADIENT_STREAM, len(numbers)).draws(step, 1)
        gradient = gradient + noise.std * drawn[0]
    return gradient


@pytest.mark.slow
@every_problem
@pytest.mark.parametrize("loss", ["half_sse", "mse", {"kind": "huber", "delta": 0.2}], ids=str)
@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_a_step_takes_the_gradient_of_its_batch_with_its_noise(problem, loss, disturbance):
    """On the engine that `auto` takes."""
    run = descent(problem, loss, **DISTURBANCES[disturbance])
    factors = factors_of(run)
    for step in range(10):
        moved = factors[step] - 0.02 * gradient_by_definition(run, factors[step], step)
        np.testing.assert_allclose(factors[step + 1], moved, rtol=1e-10, atol=1e-12)


@every_problem
@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_the_recorded_loss_is_that_of_all_observations_without_noise(problem, disturbance):
    run = descent(problem, "mse", **DISTURBANCES[disturbance])
    result = run_whole(run)
    for step, numbers in enumerate(result.kept.factors):
        values, observed = predicted(run, torch.tensor(numbers[None]))
        loss = (values - observed).square().mean().item()
        assert points_of(result)[0, step]["loss"] == pytest.approx(loss, rel=1e-12)


def test_the_first_step_below_the_limit_is_one_of_the_full_loss():
    run = descent(steps=2000, batch={"size": 1}, weight_decay=1e-3)
    stopped = run_whole(spec(**run.resolved() | {"stop": {"max_steps": 2000, "loss_below": 0.5}}))
    losses = [point["loss"] for _, point in sorted(points_of(run_whole(run)).items())]
    assert stopped.progress[0].checkpoint.step == next(step for step, loss in enumerate(losses) if loss < 0.5)


@both_engines
def test_balancedness_follows_its_law_through_label_noise(engine):
    """d_k = d_0 prod (1 - lr^2 r^2) with d = u^2 - v^2, whatever the residuals r are, and signs of numpy's Philox."""
    run = spec(
        problem={"kind": "completion", "shape": [1, 1], "observations": [{"index": [0, 0], "value": 1.0}]},
        model={"kind": "deep_matrix", "depth": 2},
        init={"kind": "explicit", "factors": [[[0.2]], [[2.0]]]},
        optimizer={"kind": "gradient_descent", "learning_rate": 0.1, "noise": LABELS},
        stop={"max_steps": 3000},
        record={"every": 0, "factors": {"every": 1}},
        engine=engine,
    )
    u, v = factors_of(run).T
    drawn = np.random.Philox(counter=0, key=0).random_raw(4 * 3000)[::4]
    noise = 0.5 * np.where(drawn & np.uint64(1), 1.0, -1.0)
    residuals = u[:-1] * v[:-1] - 1 - noise
    difference = u**2 - v**2
    law = difference[0] * np.concatenate([[1.0], np.cumprod(1 - 0.01 * residuals**2)])
    np.testing.assert_allclose(difference, law, rtol=1e-9, atol=1e-14)
    assert abs(difference[-1]) < 1e-2 * abs(difference[0])


@every_problem
def test_a_batch_of_all_samples_has_the_bits_of_none(problem):
    all_samples = descent(problem).problem.sample_count
    without, full = descent(problem), descent(problem, batch={"size": all_samples})
    assert batch_key(full) == batch_key(without)
    ours, theirs = run_whole(full), run_whole(without)
    assert_same_progress(ours.progress[0], theirs.progress[0])
    np.testing.assert_array_equal(ours.kept.factors, theirs.kept.factors)


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_the_same_seed_gives_the_same_and_another_seed_another(disturbance):
    start = {"kind": "constant", "value": 0.3}
    first, again, other = (
        factors_of(spec(**descent(seed=seed, **DISTURBANCES[disturbance]).resolved() | {"init": start}))
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[0], other[0])
    assert (first[-1] != other[-1]).any()


def test_frozen_factors_have_no_noise():
    factors = factors_of(descent(frozen=[1], noise={"kind": "gradient", "std": 1.0}))
    assert (factors[0] != factors[-1]).any()
    first = descent().factor_shapes[0][0] * descent().factor_shapes[0][1]
    np.testing.assert_array_equal(factors[0, first:], factors[-1, first:])


@both_engines
def test_noise_of_size_zero_changes_nothing(engine):
    quiet, plain = (
        spec(**descent(**fields).resolved() | {"engine": engine})
        for fields in ({"noise": {"kind": "gradient", "std": 0.0}}, {})
    )
    np.testing.assert_array_equal(factors_of(quiet), factors_of(plain))


def test_a_batch_of_all_samples_divides_them_only_with_replacement():
    assert Batch(size=3).divides(4)
    assert not Batch(size=4).divides(4)
    assert Batch(size=4, replacement=True).divides(4)


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_theory_keeps_its_bounds_and_is_silent_on_what_noise_breaks(disturbance):
    fields = DISTURBANCES[disturbance]
    if "batch" in fields:
        fields = fields | {"batch": fields["batch"] | {"size": 2}}
    parts = {"init": {"kind": "identity", "scale": 0.5}, "stop": {"max_steps": 100}, "engine": "auto"}
    decaying = {"kind": "gradient_descent", "learning_rate": 0.01, "weight_decay": 0.01}
    noisy, plain = (judged(spec(**parts, optimizer=decaying | more)) for more in (fields, {}))
    assert plain.predicted_limit is not None
    assert noisy.predicted_limit is None
    assert noisy.bound_holds is not None
    without_decay = judged(spec(**parts, optimizer=decaying | {"weight_decay": 0.0} | fields))
    assert without_decay.tightness_law is without_decay.stability_limit is None
    assert (without_decay.predicted_limit is None) == ("noise" in fields)


def judged(run):
    """Theory's verdict on a run that is over."""
    result = run_whole(run)
    columns = {name: result.points.columns[name] for name in columns_needed(run)}
    return judge(run, columns, result.progress[0].summary["determinant_sign_changed_at"])
