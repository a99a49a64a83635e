"""Adam against torch.optim, group RMSprop against its definition written out, on matrices and tensors, run by run."""

import numpy as np
import pytest
import torch

from tests.helpers.specs import run_whole, spec

RATES = (0.003, 0.01)
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
    from workers.runs.observations import observe

    observed = observe(run.problem)
    residual = (product(run, factors) - torch.from_numpy(observed.values))[torch.from_numpy(observed.mask)]
    return 0.5 * residual.square().sum() if run.loss == "half_sse" else residual.square().mean()


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


def adam(run, factors, steps):
    constants = run.optimizer
    betas = (constants.beta_1, constants.beta_2)
    optimizer = torch.optim.Adam(factors, lr=constants.learning_rate, betas=betas, eps=constants.epsilon)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(run, factors).backward()
        optimizer.step()
    return factors


@pytest.mark.parametrize("setting", [MATRIX, TENSOR], ids=["matrix", "tensor"])
@pytest.mark.parametrize(
    ("constants", "written_out"),
    [
        ({"kind": "adam", "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-7}, adam),
        ({"kind": "group_rmsprop", "beta": 0.9, "epsilon": 1e-5}, group_rmsprop),
    ],
    ids=["adam", "group_rmsprop"],
)
def test_a_run_takes_the_written_out_steps(constants, written_out, setting):
    runs = [
        spec(
            **setting,
            init={"kind": "gaussian", "std": 0.5},
            optimizer={"learning_rate": rate, **constants},
            stop={"max_steps": STEPS},
            seed=i,
        )
        for i, rate in enumerate(RATES)
    ]
    from workers.runs.initializers import starting_factors

    for run, progress in zip(runs, run_whole(*runs).progress, strict=True):
        start = [torch.from_numpy(f).requires_grad_() for f in starting_factors(run)]
        expected = torch.cat([f.detach().flatten() for f in written_out(run, start, STEPS)])
        found = torch.from_numpy(progress.checkpoint.state[: len(expected)])
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-9)
