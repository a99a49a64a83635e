"""How the steps of a chunk are taken: one after the other from Python, or on a GPU as CUDA graphs.

A step is the same tensor operations on the same memory each time the history comes round to its slot. On a GPU, where
Python takes longer to launch them than they take, runs of slots are captured once and then launched with one call.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch

from workers.lab.engines.descent.history import SHORTEST_CHUNK

Step = Callable[[int], None]

SEGMENT = SHORTEST_CHUNK
"""Slots of one graph: chunks of other lengths are whole segments and a rest that Python takes."""


class Stepper(Protocol):
    """Takes the steps of a chunk."""

    def take(self, steps: int) -> None:
        """Take the steps into slots 1, 2, ..., `steps`."""
        ...


class EagerSteps:
    """Steps launched from Python."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def take(self, steps: int) -> None:
        for slot in range(1, steps + 1):
            self._step(slot)


class GraphedSteps:
    """Steps launched as CUDA graphs (torch.cuda.CUDAGraph); the first chunk is taken from Python.

    Libraries set up their workspaces at the first call of an operation, which must not happen while one is captured.

    Args:
        step: takes the step into a slot, with no other effect than on tensors that outlive it.
        capture: turns a call into one that launches what it launched; that of CUDA but in tests.
    """

    def __init__(self, step: Step, capture: "Callable[[Callable[[], None]], Callable[[], None]] | None" = None) -> None:
        self._step, self._capture = step, capture or CudaCapture()
        self._segments: list[Callable[[], None]] = []
        self._warm = False

    def take(self, steps: int) -> None:
        whole = steps // SEGMENT if self._warm else 0
        for number in range(whole):
            self._segment(number)()
        for slot in range(whole * SEGMENT + 1, steps + 1):
            self._step(slot)
        self._warm = True

    def _segment(self, number: int) -> Callable[[], None]:
        """The graph of one run of slots, captured when it is first asked for; segments are asked for in order."""
        if number == len(self._segments):
            self._segments.append(self._capture(lambda: self._take_segment(number)))
        return self._segments[number]

    def _take_segment(self, number: int) -> None:
        for slot in range(number * SEGMENT + 1, (number + 1) * SEGMENT + 1):
            self._step(slot)


class CudaCapture:
    """Captures calls as CUDA graphs that share the memory of their temporaries, since they run one after the other."""

    def __init__(self) -> None:
        self._pool: Any = torch.cuda.graph_pool_handle()

    def __call__(self, call: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            call()
        return graph.replay


def stepper_for(step: Step, device: torch.device, capturable: bool) -> Stepper:
    """How a batch steps on a device.

    Args:
        capturable: whether all operations of a step may be captured; those on sparse matrices may not.
    """
    return GraphedSteps(step) if device.type == "cuda" and capturable else EagerSteps(step)
