"""Optimisers against torch.optim, group RMSprop against its definition written out, on matrices and tensors."""

import numpy as np
import pytest
import torch

from tests.helpers.losses import loss_by_definition
from tests.helpers.specs import run_whole, spec
from tests.kinds.examples import example_of
from workers.lab.optimizers import MATHS
from workers.runs.initializers import starting_factors

STEPS = 60
"""Few enough that runs are on their way: normalised steps do not get shorter, so that runs that have arrived jump about
their goal and amplify rounding."""
MATRIX = {
    "problem": {"kind": "low_rank_completion", "shape": [3, 4], "rank": 1, "observed": 7},
    "model": {"kind": "deep_matrix", "depth": 3},
}
TENSOR = {
    "problem": {"kind": "low_rank_completion", "shape": [3, 2, 4], "rank": 1, "observed": 11},
    "model": {"kind": "cp_tensor", "rank": 5},
}


def product(run, factors):
    if run.model.kind == "deep_matrix":
        return factors[0] @ factors[1] @ factors[2]
    return torch.einsum("ar,br,cr->abc", *factors)


def loss_of(run, factors):
    return loss_by_definition(run, product(run, factors))


def group_rmsprop(run, factors, steps):
    """The definition, with what each factor adds rounded to single precision."""
    constants, v = run.optimizer, 0.0
    for t in range(1, steps + 1):
        gradient = torch.autograd.grad(loss_of(run, factors), factors)
        v *= constants.beta
        for part in gradient:
            v += float(np.float32(1 - constants.beta) * np.float32(float(part.square().sum())))
        rate = constants.learning_rate / ((v / (1 - constants.beta**t)) ** 0.5 + constants.epsilon)
        factors = [(f - rate * g).detach().requires_grad_() for f, g in zip(factors, gradient, strict=True)]
    return factors


def stepped(optimizer, run, factors, steps):
    """The factors after so many steps of an optimiser of torch."""
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(run, factors).backward()
        optimizer.step()
    return factors


def gradient_descent(run, factors, steps):
    return stepped(torch.optim.SGD(factors, lr=run.optimizer.learning_rate), run, factors, steps)


def momentum(run, factors, steps):
    constants = run.optimizer
    optimizer = torch.optim.SGD(factors, lr=constants.learning_rate, momentum=constants.beta)
    return stepped(optimizer, run, factors, steps)


def adam(run, factors, steps):
    constants = run.optimizer
    betas = (constants.beta_1, constants.beta_2)
    optimizer = torch.optim.Adam(factors, lr=constants.learning_rate, betas=betas, eps=constants.epsilon)
    return stepped(optimizer, run, factors, steps)


WRITTEN_OUT = {
    "gradient_descent": ({}, gradient_descent, (0.02, 0.05), 1e-12),
    "momentum": ({"beta": 0.8}, momentum, (0.02, 0.05), 1e-12),
    "adam": ({"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-7}, adam, (0.003, 0.01), 1e-9),
    "group_rmsprop": ({"beta": 0.9, "epsilon": 1e-5}, group_rmsprop, (0.003, 0.01), 1e-9),
}
"""Constants, steps, two learning rates, and how far apart numbers may be, by the kind of optimiser."""


def test_every_optimizer_that_steps_is_written_out():
    assert set(WRITTEN_OUT) == {example_of(kind)["kind"] for kind in MATHS}


@pytest.mark.parametrize("setting", [MATRIX, TENSOR], ids=["matrix", "tensor"])
@pytest.mark.parametrize("kind", WRITTEN_OUT)
def test_a_run_takes_the_written_out_steps(kind, setting):
    constants, written_out, rates, atol = WRITTEN_OUT[kind]
    runs = [
        spec(
            **setting,
            init={"kind": "gaussian", "std": 0.5},
            optimizer={"kind": kind, "learning_rate": rate, **constants},
            stop={"max_steps": STEPS},
            seed=i,
        )
        for i, rate in enumerate(rates)
    ]
    for run, progress in zip(runs, run_whole(*runs).progress, strict=True):
        start = [torch.from_numpy(f).requires_grad_() for f in starting_factors(run)]
        expected = torch.cat([f.detach().flatten() for f in written_out(run, start, STEPS)])
        found = torch.from_numpy(progress.checkpoint.state[: len(expected)])
        torch.testing.assert_close(found, expected, rtol=10 * atol, atol=atol)
