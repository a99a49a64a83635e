"""What a researcher would write today, on one core in float64: microseconds per step of a run.

Each function takes the start, the observed values and their mask, and returns a measurement. JAX is measured where it
is installed (`pip install jax`).
"""

import importlib.util
import time
from collections.abc import Callable
from functools import reduce
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[np.float64]
Measurement = Callable[[], float]
"""Measures once, in microseconds per step and run."""

State = TypeVar("State")

RATE = 1e-4
SECONDS = 0.3
"""Least length of a measurement."""


def numpy_loop(factors: list[Array], target: Array, mask: Array, runs: int) -> Measurement:
    """numpy with its BLAS, gradients by hand; runs stacked in front of the matrices."""
    stacked = [np.repeat(factor[None], runs, axis=0) for factor in factors]

    def step(now: list[Array]) -> list[Array]:
        before, after = [np.eye(len(target))[None]], [np.eye(len(target.T))[None]]
        for factor in now:
            before.append(before[-1] @ factor if len(before) > 1 else factor)
        for factor in reversed(now):
            after.append(factor @ after[-1] if len(after) > 1 else factor)
        after.reverse()
        signal = mask * (before[-1] - target)
        if not np.isfinite((signal**2).sum(axis=(1, 2))).all():
            raise FloatingPointError
        left = [signal if number == 0 else before[number].mT @ signal for number in range(len(now))]
        last = len(now) - 1
        gradients = [part if number == last else part @ after[number + 1].mT for number, part in enumerate(left)]
        return [factor - RATE * gradient for factor, gradient in zip(now, gradients, strict=True)]

    return _repeated(step, stacked, runs)


def torch_loop(factors: list[Array], target: Array, mask: Array, runs: int) -> Measurement:
    """Plain torch with autograd, as one writes it first; runs stacked in front of the matrices."""
    trained = [torch.tensor(np.repeat(factor[None], runs, axis=0), requires_grad=True) for factor in factors]
    optimizer = torch.optim.SGD(trained, lr=RATE)
    wanted, observed = torch.from_numpy(target), torch.from_numpy(mask)

    def step(_: None) -> None:
        optimizer.zero_grad()
        loss = 0.5 * (observed * (reduce(torch.matmul, trained) - wanted) ** 2).sum(dim=(1, 2))
        if not bool(loss.isfinite().all()):
            raise FloatingPointError
        loss.sum().backward()
        optimizer.step()

    return _repeated(step, None, runs)


def jax_scan(factors: list[Array], target: Array, mask: Array, runs: int) -> Measurement | None:
    """JAX: `lax.scan` over steps, `vmap` over runs, the losses kept for the stop; None where JAX is not installed."""
    if importlib.util.find_spec("jax") is None:
        return None
    jax: Any = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def loss(now: Any) -> Any:
        return 0.5 * (mask * (reduce(jnp.matmul, now) - target) ** 2).sum()

    def step(now: Any, _: None) -> Any:
        value, gradients = jax.value_and_grad(loss)(now)
        return [factor - RATE * gradient for factor, gradient in zip(now, gradients, strict=True)], value

    stacked, steps = [jnp.repeat(jnp.array(factor)[None], runs, axis=0) for factor in factors], 100

    def advance(start: Any) -> Any:
        return jax.lax.scan(step, start, None, length=steps)

    compiled = jax.jit(jax.vmap(advance))

    def chunk(now: Any) -> Any:
        after, _ = compiled(now)
        return jax.block_until_ready(after)

    measure = _repeated(chunk, stacked, runs)
    return lambda: measure() / steps


def _repeated(step: Callable[[State], State], start: State, runs: int) -> Measurement:
    """Measures repeated calls; the first, which may compile, is not counted."""

    def measure() -> float:
        state, calls = step(start), 0
        began = time.perf_counter()
        while (seconds := time.perf_counter() - began) < SECONDS:
            state, calls = step(state), calls + 1
        return seconds / (calls * runs) * 1e6

    return measure
