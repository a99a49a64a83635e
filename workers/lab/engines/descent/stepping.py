"""The steps of a chunk, launched one after another from Python, or on a GPU as CUDA graphs.

Whenever the history returns to a slot, its step is the same tensor operations on the same memory. On a GPU Python takes
longer to launch them than they run, so segments of consecutive slots are captured once and then launched with one call.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch

from workers.lab.engines.descent.history import SHORTEST_CHUNK

Step = Callable[[int], None]

SEGMENT = SHORTEST_CHUNK
"""Slots of one graph; Python launches the steps of a chunk that do not fill a segment."""


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
    """Steps launched as CUDA graphs (torch.cuda.CUDAGraph); the first chunk is launched from Python.

    Libraries set up their workspaces at the first call of an operation, which must not happen during a capture.

    Args:
        step: takes the step into a slot; its only effects are on tensors that outlive it.
        capture: turns a call into one that replays the kernels it launched; by default a CUDA graph.
    """

    def __init__(self, step: Step, capture: "Callable[[Callable[[], None]], Callable[[], None]] | None" = None) -> None:
        self._step, self._capture = step, capture or CudaCapture()
        self._segments: list[Callable[[], None]] = []
        self._warm = False

    def take(self, steps: int) -> None:
        segments = steps // SEGMENT if self._warm else 0
        for number in range(segments):
            self._segment(number)()
        for slot in range(segments * SEGMENT + 1, steps + 1):
            self._step(slot)
        self._warm = True

    def _segment(self, number: int) -> Callable[[], None]:
        """The graph of a segment, captured at its first use; segments are first used in order."""
        if number == len(self._segments):
            self._segments.append(self._capture(lambda: self._take_segment(number)))
        return self._segments[number]

    def _take_segment(self, number: int) -> None:
        for slot in range(number * SEGMENT + 1, (number + 1) * SEGMENT + 1):
            self._step(slot)


class CudaCapture:
    """Captures calls as CUDA graphs; they run one after another, so they share the memory of their temporaries."""

    def __init__(self) -> None:
        self._pool: Any = torch.cuda.graph_pool_handle()

    def __call__(self, call: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            call()
        return graph.replay


def stepper_for(step: Step, device: torch.device, capturable: bool) -> Stepper:
    """The stepper of a batch on a device.

    Args:
        capturable: whether all operations of a step can be captured; those on sparse matrices cannot.
    """
    return GraphedSteps(step) if device.type == "cuda" and capturable else EagerSteps(step)
