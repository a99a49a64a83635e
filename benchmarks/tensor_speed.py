"""Steps of CP factorisations: the engine, a plain torch autograd loop doing the same, and the arithmetic floor.

Run it with `python -m benchmarks.tensor_speed`; `benchmarks/tensors.md` counts the operations.
"""

import json
import statistics
import time
from dataclasses import dataclass

import torch

from workers.records import Batch, Budget, Member
from workers.runs.initializers import starting_factors
from workers.runs.observations import ObservedEntries, observe
from workers.runs.shapes import halves_of
from workers.runs.spec import RunSpec
from workers.slices import run_slice

ROUNDS = 5


@dataclass(frozen=True)
class Setting:
    """One line of the table.

    Attributes:
        target: microseconds per run-step asked for.
        steps: of the engine in one round; `plain_steps` of the plain loop.
    """

    order: int
    components: int
    runs: int
    target: float
    steps: int
    plain_steps: int


SETTINGS = (
    Setting(order=3, components=64, runs=50, target=15, steps=400, plain_steps=200),
    Setting(order=4, components=512, runs=50, target=400, steps=40, plain_steps=20),
    Setting(order=4, components=512, runs=8, target=400, steps=100, plain_steps=20),
)


def spec_of(setting: Setting, seed: int) -> RunSpec:
    """A run that never stops early, half of its entries observed."""
    entries = 8**setting.order
    return RunSpec.model_validate(
        {
            "problem": {
                "kind": "low_rank_completion",
                "shape": [8] * setting.order,
                "rank": 3,
                "observed": entries // 2,
            },
            "model": {"kind": "cp_tensor", "rank": setting.components},
            "init": {"kind": "gaussian", "std": 0.05},
            "optimizer": {"kind": "group_rmsprop", "learning_rate": 1e-3},
            "stop": {"max_steps": 10**9},
            "record": {"every": 10**9},
            "precision": "float32",
            "seed": seed,
        }
    )


def engine_microseconds(setting: Setting) -> float:
    """Microseconds per run-step, many runs at once: two lengths of slice, so that what a slice costs once drops out."""
    members = [Member(json.dumps(spec_of(setting, seed).resolved()), None) for seed in range(setting.runs)]
    begun = run_slice(Batch(tuple(members)), Budget(600, 1))
    going = [Member(one.spec, progress.checkpoint) for one, progress in zip(members, begun.progress, strict=True)]

    def seconds(steps: int) -> float:
        started = time.perf_counter()
        run_slice(Batch(tuple(going)), Budget(600, steps))
        return time.perf_counter() - started

    return 1e6 * (seconds(3 * setting.steps) - seconds(setting.steps)) / (2 * setting.steps * setting.runs)


def plain_microseconds(setting: Setting) -> float:
    """Microseconds per step of one run as usually written: einsum over all modes, autograd, the same optimiser."""
    spec = spec_of(setting, 0)
    observed = observe(spec.problem)
    assert isinstance(observed, ObservedEntries)
    places = torch.from_numpy(observed.mask).nonzero(as_tuple=True)
    values = torch.from_numpy(observed.values).float()[places]
    factors = [torch.from_numpy(f).float().requires_grad_() for f in starting_factors(spec)]
    modes = "abcd"[: setting.order]
    formula = ",".join(f"{mode}r" for mode in modes) + f"->{modes}"
    mean = 0.0
    started = time.perf_counter()
    for step in range(1, setting.plain_steps + 1):
        loss = (torch.einsum(formula, *factors)[places] - values).square().mean()
        gradient = torch.autograd.grad(loss, factors)
        mean = 0.99 * mean + 0.01 * float(sum(part.square().sum() for part in gradient))
        rate = 1e-3 / ((mean / (1 - 0.99**step)) ** 0.5 + 1e-6)
        with torch.no_grad():
            for factor, part in zip(factors, gradient, strict=True):
                factor -= rate * part
    return 1e6 * (time.perf_counter() - started) / setting.plain_steps


def floor_microseconds(setting: Setting) -> float:
    """Microseconds of the three matrix products of a step alone, in one large product of the same arithmetic."""
    rows, columns = (8 ** len(half) for half in halves_of([8] * setting.order))
    operations = 3 * rows * columns * setting.components
    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    out = left @ right
    started = time.perf_counter()
    for _ in range(10):
        torch.mm(left, right, out=out)
    return 1e6 * (time.perf_counter() - started) / 10 * operations / 1024**3


def main() -> None:
    """Print a table; medians of ROUNDS rounds in which engine, plain loop and floor take turns."""
    torch.set_num_threads(1)
    print("order components runs | engine  target | plain loop  ratio | floor  ratio   (microseconds per run-step)")
    for setting in SETTINGS:
        measures = (engine_microseconds, plain_microseconds, floor_microseconds)
        rounds = [[measure(setting) for measure in measures] for _ in range(ROUNDS)]
        engine, plain, floor = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratio = statistics.median(one[1] / one[0] for one in rounds)
        print(
            f"{setting.order:5} {setting.components:10} {setting.runs:4} | {engine:6.1f} {setting.target:7.1f} | "
            f"{plain:10.1f} {ratio:6.1f} | {floor:5.1f} {engine / floor:6.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
