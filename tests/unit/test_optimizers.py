"""Optimisers against torch.optim, or against their definitions written out, on matrices and tensors."""

from functools import reduce

import numpy as np
import pytest
import torch
from scipy.linalg import expm, fractional_matrix_power, logm

from tests.helpers.losses import loss_by_definition
from tests.helpers.specs import run_whole, spec
from tests.kinds.examples import example_of
from workers.lab.optimizers import MATHS
from workers.runs.initializers import starting_factors

STEPS = 60
"""Few enough that runs are on their way: normalised steps do not get shorter, so that runs that have arrived jump about
their goal and amplify rounding."""
START = {"init": {"kind": "gaussian", "std": 0.5}}
MATRIX = START | {
    "problem": {"kind": "low_rank_completion", "shape": [3, 4], "rank": 1, "observed": 7},
    "model": {"kind": "deep_matrix", "depth": 3},
}
TWO_FACTORS = MATRIX | {"model": {"kind": "deep_matrix", "depth": 2, "hidden_width": 2}}
ITSELF = MATRIX | {"model": {"kind": "deep_matrix", "depth": 1}}
SQUARE = START | {"problem": {"kind": "low_rank_completion", "shape": [4, 4], "rank": 1, "observed": 9}}
SYMMETRIC = SQUARE | {"model": {"kind": "symmetric_matrix", "rank": 2}}
POSITIVE = SQUARE | {"model": {"kind": "deep_matrix", "depth": 1}, "init": {"kind": "identity", "scale": 0.2}}
TENSOR = START | {
    "problem": {"kind": "low_rank_completion", "shape": [3, 2, 4], "rank": 1, "observed": 11},
    "model": {"kind": "cp_tensor", "rank": 5},
}
BOTH = (MATRIX, TENSOR)


def product(run, factors):
    if run.model.kind == "cp_tensor":
        return torch.einsum("ar,br,cr->abc", *factors)
    return factors[0] @ factors[0].T if run.model.is_symmetric else reduce(torch.matmul, factors)


def loss_of(run, factors):
    return loss_by_definition(run, product(run, factors))


def gradients_at(run, factors):
    factors = [factor.detach().requires_grad_() for factor in factors]
    return torch.autograd.grad(loss_of(run, factors), factors)


def stepped(optimizer, run, factors, steps):
    """The factors after so many steps of an optimiser of torch."""
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(run, factors).backward()
        optimizer.step()
    return factors


def moved(moves):
    """The factors after steps that subtract the rate times moves, which are written out."""

    def descended(run, factors, steps):
        factors, memory = [factor.detach() for factor in factors], {}
        for step in range(steps):
            all_moves = moves(run.optimizer, run, factors, gradients_at(run, factors), memory, step)
            factors = [f - run.optimizer.learning_rate * move for f, move in zip(factors, all_moves, strict=True)]
        return factors

    return descended


def mean_into(memory, name, number, beta, new):
    """The running mean of a factor, from zero."""
    memory[name, number] = beta * memory.get((name, number), torch.zeros_like(new)) + (1 - beta) * new
    return memory[name, number]


def group_rmsprop(constants, run, factors, gradients, memory, step):
    """What each factor adds is rounded to single precision."""
    v = memory.get("v", 0.0) * constants.beta
    for part in gradients:
        v += float(np.float32(1 - constants.beta) * np.float32(float(part.square().sum())))
    memory["v"] = v
    scale = (v / (1 - constants.beta ** (step + 1))) ** 0.5 + constants.epsilon
    return [part / scale for part in gradients]


def shared_adam(constants, run, factors, gradients, memory, step):
    mean = mean_into(memory, "v", 0, constants.beta_2, torch.cat([g.flatten() for g in gradients]).square().mean())
    scale = (mean / (1 - constants.beta_2 ** (step + 1))).sqrt() + constants.epsilon
    means = [mean_into(memory, "m", number, constants.beta_1, g) for number, g in enumerate(gradients)]
    return [m / (1 - constants.beta_1 ** (step + 1)) / scale for m in means]


def signum(constants, run, factors, gradients, memory, step):
    return [mean_into(memory, "m", number, constants.beta, g).sign() for number, g in enumerate(gradients)]


def lion(constants, run, factors, gradients, memory, step):
    moves = []
    for number, g in enumerate(gradients):
        before = memory.get(("m", number), torch.zeros_like(g))
        moves.append((constants.beta_1 * before + (1 - constants.beta_1) * g).sign())
        mean_into(memory, "m", number, constants.beta_2, g)
    return moves


def muon(constants, run, factors, gradients, memory, step):
    moves = []
    for number, g in enumerate(gradients):
        memory[number] = constants.momentum * memory.get(number, 0) + g
        d = g + constants.momentum * memory[number] if constants.nesterov else memory[number]
        if constants.orthogonalize == "svd":
            u, _, vh = torch.linalg.svd(d, full_matrices=False)
            moves.append(u @ vh)
            continue
        x = d / d.norm()
        for _ in range(constants.steps):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        moves.append(x)
    return moves


def shampoo(constants, run, factors, gradients, memory, step):
    moves = []
    for number, g in enumerate(gradients):
        left, right = memory.get(number) or (constants.epsilon * torch.eye(size).double() for size in g.shape)
        memory[number] = left, right = left + g @ g.T, right + g.T @ g
        if step % constants.every == 0:
            roots = (np.real_if_close(fractional_matrix_power(side.numpy(), -0.25)) for side in (left, right))
            memory["roots", number] = [torch.from_numpy(root) for root in roots]
        left_root, right_root = memory["roots", number]
        moves.append(left_root @ g @ right_root)
    return moves


def scaled(constants, run, factors, gradients, memory, step):
    def inverse(gram):
        return torch.linalg.inv(gram + constants.damping * torch.eye(len(gram)).double())

    if run.model.is_symmetric:
        return [gradients[0] @ inverse(factors[0].T @ factors[0])]
    left, right = factors
    return [gradients[0] @ inverse(right @ right.T), inverse(left.T @ left) @ gradients[1]]


def sharpness_aware(constants, run, factors, gradients, memory, step):
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    return gradients_at(run, [f + constants.rho * g / norm for f, g in zip(factors, gradients, strict=True)])


def hypentropy(run, factors, steps):
    """U sinh(S) V^T is a corner of the sinh of a symmetric matrix, by exponentials."""
    beta, (w,) = run.optimizer.beta, factors
    u, s, vh = torch.linalg.svd(w.detach(), full_matrices=False)
    dual, (rows, columns) = u * torch.asinh(s / beta) @ vh, w.shape
    for _ in range(steps):
        dual = dual - run.optimizer.learning_rate * gradients_at(run, [w])[0]
        both = np.zeros((rows + columns, rows + columns))
        both[:rows, rows:], both[rows:, :rows] = dual, dual.T
        w = torch.from_numpy(beta * (expm(both) - expm(-both))[:rows, rows:] / 2)
    return [w]


def entropy(run, factors, steps):
    w, dual = factors[0], torch.from_numpy(logm(factors[0].detach().numpy()))
    for _ in range(steps):
        (g,) = gradients_at(run, [w])
        dual = dual - run.optimizer.learning_rate * (g + g.T) / 2
        w = torch.from_numpy(expm(dual.numpy()))
    return [w]


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


def rmsprop(run, factors, steps):
    constants = run.optimizer
    optimizer = torch.optim.RMSprop(factors, lr=constants.learning_rate, alpha=constants.beta, eps=constants.epsilon)
    return stepped(optimizer, run, factors, steps)


SMALL, LARGE = (0.003, 0.01), (0.02, 0.05)
WRITTEN_OUT = [
    ({"kind": "gradient_descent"}, gradient_descent, LARGE, 1e-12, BOTH),
    ({"kind": "momentum", "beta": 0.8}, momentum, LARGE, 1e-12, BOTH),
    ({"kind": "adam", "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-7}, adam, SMALL, 1e-9, BOTH),
    ({"kind": "adam", "beta_1": 0.8, "beta_2": 0.95, "shared_scale": True}, moved(shared_adam), SMALL, 1e-9, BOTH),
    ({"kind": "group_rmsprop", "beta": 0.9, "epsilon": 1e-5}, moved(group_rmsprop), SMALL, 1e-9, BOTH),
    ({"kind": "rmsprop", "beta": 0.95}, rmsprop, SMALL, 1e-9, BOTH),
    ({"kind": "signum", "beta": 0.8}, moved(signum), SMALL, 1e-12, BOTH),
    ({"kind": "lion", "beta_1": 0.7, "beta_2": 0.9}, moved(lion), SMALL, 1e-12, BOTH),
    ({"kind": "muon", "momentum": 0.7}, moved(muon), SMALL, 1e-9, BOTH),
    ({"kind": "muon", "momentum": 0.7, "nesterov": False, "steps": 3}, moved(muon), SMALL, 1e-9, BOTH),
    ({"kind": "muon", "momentum": 0.9, "orthogonalize": "svd"}, moved(muon), SMALL, 1e-9, BOTH),
    ({"kind": "shampoo", "every": 7, "epsilon": 1e-3}, moved(shampoo), LARGE, 1e-9, BOTH),
    (
        {"kind": "scaled_gradient_descent", "damping": 0.01},
        moved(scaled),
        (0.05, 0.1),
        1e-9,
        (TWO_FACTORS, SYMMETRIC),
    ),
    ({"kind": "sam", "rho": 0.1}, moved(sharpness_aware), LARGE, 1e-12, BOTH),
    ({"kind": "mirror_descent", "beta": 0.1}, hypentropy, LARGE, 1e-9, (ITSELF,)),
    ({"kind": "mirror_descent", "potential": "entropy"}, entropy, LARGE, 1e-9, (POSITIVE,)),
]
"""Constants, steps, two learning rates, how far apart numbers may be, and runs."""
CASES = [(*case, setting) for *case, settings in WRITTEN_OUT for setting in settings]
LENGTHY = "shampoo"
"""Its roots by the Schur decompositions of scipy take seconds."""


def test_every_optimizer_that_steps_is_written_out():
    assert {case[0]["kind"] for case in WRITTEN_OUT} == {example_of(kind)["kind"] for kind in MATHS}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("constants", "written_out", "rates", "atol", "setting"),
    [pytest.param(*case, marks=[pytest.mark.slow] * (case[0]["kind"] == LENGTHY)) for case in CASES],
    ids=["-".join(map(str, [*case[0].values(), case[-1]["model"]["kind"]])) for case in CASES],
)
def test_a_run_takes_the_written_out_steps(constants, written_out, rates, atol, setting):
    runs = [
        spec(**setting, optimizer=constants | {"learning_rate": rate}, stop={"max_steps": STEPS}, seed=i)
        for i, rate in enumerate(rates)
    ]
    for run, progress in zip(runs, run_whole(*runs).progress, strict=True):
        start = [torch.from_numpy(f).requires_grad_() for f in starting_factors(run)]
        expected = torch.cat([f.detach().flatten() for f in written_out(run, start, STEPS)])
        found = torch.from_numpy(progress.checkpoint.state[: len(expected)])
        torch.testing.assert_close(found, expected, rtol=10 * atol, atol=atol)
