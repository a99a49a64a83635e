"""The vectors of this machine's processor."""

from functools import lru_cache

import torch

NARROW = 16
"""Bytes of the vectors of a processor without AVX2, such as those of Arm."""

BYTES = {"AVX512": 64, "AVX2": 32}


@lru_cache(maxsize=1)
def vector_bytes() -> int:
    """Bytes of the widest vectors."""
    capability: str = torch.backends.cpu.get_cpu_capability()
    return BYTES.get(capability, NARROW)
