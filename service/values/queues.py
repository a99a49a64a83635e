"""Queues: which runs may share a batch, and whose turn they take."""

from dataclasses import dataclass

from workers.runs.engines import BatchKey


@dataclass(frozen=True)
class QueueKey:
    """What all runs of a queue have in common.

    Attributes:
        priority: of their experiments; a queue of a higher one goes first whenever a worker is idle.
        share: whose share of the workers they take: the API key that submitted them, 0 without keys.
        batch_key: what their batches compute.
        batch_limit: the most runs one batch may hold, set after a batch of these failed.
    """

    batch_key: BatchKey
    batch_limit: int | None = None
    priority: int = 0
    share: int = 0
