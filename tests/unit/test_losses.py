"""Losses: phi and its derivatives against mpmath and autograd, alone and in every engine; which specs are right."""

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from pydantic import ValidationError

from tests.engines.fused_cases import complete
from tests.helpers.losses import loss_by_definition
from tests.helpers.specs import flow, run_whole, spec
from workers.lab.engines.descent import engine as torch_engine
from workers.lab.engines.fused import engine as fused_engine
from workers.lab.losses import MATHS, WHOLE_VECTORS, parameter_of
from workers.lab.product_loss import ProductLoss
from workers.lab.terms import Weighting
from workers.runs.engines import batch_key
from workers.runs.losses import L1, LOSSES, NAMES, Exponential, HalfSse, Huber, Logistic, Lp, Mse
from workers.runs.spec import RunSpec

EXACT = {
    HalfSse: lambda r, _: r**2 / 2,
    Mse: lambda r, _: r**2 / 2,
    L1: lambda r, _: abs(r),
    Huber: lambda r, delta: r**2 / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2),
    Lp: lambda r, p: abs(r) ** p / p,
    Logistic: lambda z, _: mp.log1p(mp.exp(-z)),
    Exponential: lambda z, _: mp.exp(-z),
}
SLOPES = {
    HalfSse: lambda r, _: r,
    Mse: lambda r, _: r,
    L1: lambda r, _: mp.sign(r),
    Huber: lambda r, delta: max(-delta, min(delta, r)),
    Lp: lambda r, p: mp.sign(r) * abs(r) ** (p - 1),
    Logistic: lambda z, _: -1 / (1 + mp.exp(z)),
    Exponential: lambda z, _: -mp.exp(-z),
}
CURVATURES = {
    HalfSse: lambda r, _: mp.mpf(1),
    Mse: lambda r, _: mp.mpf(1),
    L1: lambda r, _: mp.mpf(0),
    Huber: lambda r, delta: mp.mpf(abs(r) <= delta),
    Lp: lambda r, p: mp.inf if r == 0 and p < 2 else (p - 1) * abs(r) ** (p - 2),
    Logistic: lambda z, _: mp.exp(-abs(z)) / (1 + mp.exp(-abs(z))) ** 2,
    Exponential: lambda z, _: mp.exp(-z),
}
PARAMETERS = {"delta": (1e-3, 0.5, 7.0), "p": (1.0625, 1.5, 2.0, 2.75, 3.0, 4.0, 10.0)}
KINDS = [loss for loss in LOSSES.values() if not loss.is_square]
SIZES = [0.0, 1e-300, 1e-20, 1e-9, 0.01, 0.3, 0.5, 1.0, 1.75, 7.0, 30.0, 36.5, 700.0, 745.0, 1e5, 1e30, 1e200]
ARGUMENTS = [sign * size for size in SIZES for sign in (1.0, -1.0)]

RELATIVE = 4e-15
"""A few units of rounding; those of exp and pow grow with the size of the exponent in some libraries."""
HALF_DIGIT = 2.0**-1074


def instances(kind):
    """A loss of the kind for every value of its parameter."""
    if kind.parameter is None:
        return [kind(kind=name_of(kind))]
    return [kind.model_validate({**kind.example, kind.parameter: value}) for value in PARAMETERS[kind.parameter]]


def double(numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def name_of(kind):
    return kind.example["kind"]


def exactly(functions, loss, argument):
    """A function of a loss in 60 digits, rounded to a float."""
    with mp.workdps(60):
        return float(functions[type(loss)](mpmath.mpf(argument), mpmath.mpf(parameter_of(loss))))


def assert_near(found, expected):
    """Infinite where the float is, a few units of rounding away elsewhere; numbers below normal ones lose digits."""
    np.testing.assert_allclose(found, expected, rtol=RELATIVE, atol=2.0**-1022 * RELATIVE + HALF_DIGIT * 8)


@pytest.mark.parametrize("kind", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize(("name", "exact"), [("value", EXACT), ("slope", SLOPES), ("curvature", CURVATURES)])
def test_phi_and_its_derivatives_are_those_of_its_definition(kind, name, exact):
    for loss in instances(kind):
        found = getattr(MATHS[kind], name)(double(ARGUMENTS), double(parameter_of(loss)))
        assert_near(found.numpy(), [exactly(exact, loss, argument) for argument in ARGUMENTS])


@pytest.mark.parametrize("kind", LOSSES.values(), ids=LOSSES)
@given(st.lists(st.floats(-30, 30), min_size=1, max_size=9), st.integers(0, 2))
def test_the_derivatives_are_those_of_autograd(kind, arguments, choice):
    """Twice through a loss of several terms with weights of their own."""
    loss = instances(kind)[choice % len(instances(kind))]
    weights = torch.linspace(0.5, 2.0, len(arguments)).double()[None, :, None]
    residual = double(arguments)[None, :, None].requires_grad_()
    weighting = Weighting.of([loss], weights)
    (first,) = torch.autograd.grad(weighting.twice(residual).sum() / 2, residual, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), residual) if first.requires_grad else (torch.zeros_like(residual),)
    for found, exact in ((first, SLOPES), (second, CURVATURES)):
        expected = weights.flatten().numpy() * [exactly(exact, loss, argument) for argument in arguments]
        assert_near(found.detach().flatten().numpy(), expected)


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
@given(st.integers(0, 2**31), st.integers(1, 3 * WHOLE_VECTORS))
def test_a_number_does_not_depend_on_those_beside_it(kind, seed, count):
    arguments = torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    parameter = double(parameter_of(instances(kind)[0]))
    for function in (MATHS[kind].value, MATHS[kind].slope, MATHS[kind].curvature):
        together = function(arguments, parameter)
        alone = torch.cat([function(argument[None], parameter) for argument in arguments])
        assert together.numpy().tobytes() == alone.numpy().tobytes()


def scalar(loss, prediction, **parts):
    """A run of a single number, observed as 1, that begins at a prediction and takes one step of size 1."""
    problem = {"kind": "completion", "shape": [1, 1], "observations": [{"index": [0, 0], "value": 1.0}]}
    fields = {
        "problem": problem,
        "model": {"kind": "deep_matrix", "depth": 1},
        "init": {"kind": "explicit", "factors": [[[prediction]]]},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 1.0},
        "stop": {"max_steps": 1},
        "record": {"every": 1},
        "engine": "auto",
        "loss": loss.model_dump(),
    }
    return spec(**fields | parts)


def argument_of(loss, prediction):
    return prediction if loss.takes_labels else prediction - 1.0


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("engine", [torch_engine.advance, fused_engine.advance], ids=["torch", "fused"])
@pytest.mark.parametrize("kind", LOSSES.values(), ids=LOSSES)
def test_an_engine_takes_the_step_of_the_definition(kind, engine, precision):
    """From predictions of all sizes; the step is the slope, rounded where it is added."""
    dtype = np.dtype(precision)
    sizes = [0.0, 1e-9, 0.25, 0.5, 1.0, 2.0, 17.0, 36.5, 80.0] + [700.0, 1e5, 1e30] * (precision == "float64")
    for loss in instances(kind):
        weight = loss.weight(1)
        starts = [float(dtype.type(sign * size)) for size in sizes for sign in (1, -1)]
        result = complete([scalar(loss, start, precision=precision) for start in starts], engine=engine)
        for run, start in enumerate(starts):
            argument = float(dtype.type(argument_of(loss, dtype.type(start))))
            value, slope = (weight * exactly(functions, loss, argument) for functions in (EXACT, SLOPES))
            with np.errstate(over="ignore"):
                expected, moved = dtype.type(value), dtype.type(start - slope)
            relative = 16 * np.finfo(dtype).eps
            least = 4 * np.finfo(dtype).tiny
            np.testing.assert_allclose(result.losses[run, 0], expected, rtol=relative, atol=least)
            if np.isfinite(expected) and (run, 1) in result.losses:
                np.testing.assert_allclose(
                    result.batch.states[run, 0], moved, rtol=relative, atol=relative * abs(start)
                )


@pytest.mark.parametrize("kind", LOSSES.values(), ids=LOSSES)
def test_the_loss_of_a_product_is_that_of_the_definition(kind):
    """In numpy, for flows: entries and measurements."""
    for loss in instances(kind):
        for problem in (ENTRIES, MEASUREMENTS):
            run = observed(problem, loss.model_dump())
            product = torch.linspace(-2.0, 3.0, 6).double().reshape(2, 3).requires_grad_()
            expected = loss_by_definition(run, product)
            (slope,) = torch.autograd.grad(expected, product)
            ours, whole = ProductLoss(run), product.detach().numpy()
            assert ours.value(whole) == pytest.approx(expected.item(), rel=1e-14)
            np.testing.assert_allclose(ours.gradient(whole), slope.numpy(), rtol=1e-13, atol=1e-15)
            np.testing.assert_array_equal(ours.gradient(np.stack([whole, whole]))[1], ours.gradient(whole))


def observed(problem, loss):
    """A run of 2 x 3 numbers."""
    return spec(
        problem=problem, loss=loss, init={"kind": "gaussian", "std": 1.0}, model={"kind": "deep_matrix", "depth": 1}
    )


ENTRIES = {
    "kind": "completion",
    "shape": [2, 3],
    "observations": [{"index": [0, 1], "value": 1.0}, {"index": [1, 2], "value": -1.0}, {"index": [1, 0], "value": 1}],
}
MEASUREMENTS = {
    "kind": "sensing",
    "shape": [2, 3],
    "measurements": [
        {"tensor": [[1.0, 0.5, 0.0], [0.0, -1.0, 2.0]], "value": 1.0},
        {"tensor": [[0.0, 1.0, -0.5], [0.25, 0.0, 1.0]], "value": -1.0},
    ],
}


def test_names_and_objects_are_the_same_loss():
    for name in NAMES:
        run = observed(ENTRIES, name)
        assert run == observed(ENTRIES, {"kind": name})
        assert run.resolved()["loss"] == (name if run.loss.is_square else {"kind": name})
        assert RunSpec.model_validate(run.resolved()) == run


def test_a_huge_delta_is_the_mean_of_half_squares_and_a_small_one_is_l1():
    def losses_of(loss, rate):
        run = spec(loss=loss, optimizer={"kind": "gradient_descent", "learning_rate": rate}, stop={"max_steps": 500})
        return run_whole(run).points.columns["loss"]

    np.testing.assert_allclose(losses_of({"kind": "huber", "delta": 1e6}, 0.06), losses_of("mse", 0.03) / 2, rtol=1e-9)
    huber = losses_of({"kind": "huber", "delta": 1e-9}, 1e6) / 1e-9
    np.testing.assert_allclose(huber[:20], losses_of("l1", 1e-3)[:20], rtol=1e-6)
    np.testing.assert_allclose(losses_of({"kind": "lp", "p": 2}, 0.06), losses_of("mse", 0.03) / 2, rtol=1e-9)


def test_losses_of_a_kind_share_a_batch_and_kinds_do_not():
    keys = {name: str(batch_key(spec(loss=loss))) for name, loss in SHARING.items()}
    assert keys["a delta"] == keys["another delta"]
    assert len(set(keys.values())) == len(keys) - 1


SHARING = {
    "a delta": {"kind": "huber", "delta": 0.5},
    "another delta": {"kind": "huber", "delta": 2.0},
    "l1": "l1",
    "lp": {"kind": "lp", "p": 3.0},
    "mse": "mse",
    "half_sse": "half_sse",
}


@pytest.mark.parametrize("engine", ["fused", "torch"])
@pytest.mark.parametrize("kind", [Huber, Lp], ids=name_of)
def test_runs_of_a_batch_have_parameters_of_their_own(kind, engine):
    runs = [spec(loss=loss.model_dump(), stop={"max_steps": 40}, engine=engine) for loss in instances(kind)]
    together = run_whole(*runs)
    for number, run in enumerate(runs):
        alone = run_whole(run).progress[0]
        np.testing.assert_array_equal(together.progress[number].checkpoint.state, alone.checkpoint.state)


@pytest.mark.parametrize("loss", ["l1", {"kind": "lp", "p": 1.5}])
def test_a_flow_needs_a_slope_without_jumps(loss):
    with pytest.raises(ValidationError, match="Lipschitz"):
        flow(loss=loss)
    assert flow(loss={"kind": "lp", "p": 2}).is_flow


def test_a_baseline_takes_no_labels():
    with pytest.raises(ValidationError, match="labels"):
        spec(problem=ENTRIES, model={"kind": "nuclear_norm"}, loss="logistic")
