"""Optimisers against torch.optim, run by run."""

import pytest
import torch

from tests.helpers.specs import run_whole, spec

RATES = (0.02, 0.05)
OPTIMIZERS = {
    "gradient_descent": ({}, lambda factors, rate: torch.optim.SGD(factors, lr=rate)),
    "momentum": ({"beta": 0.8}, lambda factors, rate: torch.optim.SGD(factors, lr=rate, momentum=0.8)),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_run_takes_the_steps_of_torch_optim(kind):
    constants, torch_optimizer = OPTIMIZERS[kind]
    start = [[[0.3, 0.1], [-0.2, 0.4]]] * 3
    runs = [
        spec(
            init={"kind": "explicit", "factors": start},
            optimizer={"kind": kind, "learning_rate": rate, **constants},
            stop={"max_steps": 300},
        )
        for rate in RATES
    ]
    result = run_whole(*runs)
    for rate, progress in zip(RATES, result.progress, strict=True):
        factors = [torch.tensor(f, dtype=torch.float64, requires_grad=True) for f in start]
        optimizer = torch_optimizer(factors, rate)
        for _ in range(300):
            optimizer.zero_grad()
            whole = factors[0] @ factors[1] @ factors[2]
            loss = 0.5 * ((whole[0, 1] - 1) ** 2 + (whole[1, 0] - 1) ** 2 + whole[1, 1] ** 2)
            loss.backward()
            optimizer.step()
        expected = torch.cat([f.detach().flatten() for f in factors])
        torch.testing.assert_close(torch.from_numpy(progress.checkpoint.state[:12]), expected, rtol=1e-10, atol=1e-12)
