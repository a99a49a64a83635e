"""With what a slice was computed: what may change the last bits of a result. It costs an import of torch."""

import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

_PACKAGES = {"rankward": "rankward", "numpy": "numpy", "torch": "torch", "warp": "warp-lang"}
_CPU_INFO = Path("/proc/cpuinfo")


@cache
def computed_with(device: str) -> dict[str, str | None]:
    """Versions, processor and GPU of this process.

    Args:
        device: of the slice, `cpu` or `cuda`.

    Returns:
        `service.schemas.ComputedWith` as JSON; `gpu` is None unless the slice was computed on it.
    """
    import torch

    return {
        **{name: version(package) for name, package in _PACKAGES.items()},
        "python": platform.python_version(),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" and torch.cuda.is_available() else None,
    }


def _processor() -> str:
    """The processor's model as Linux has it, else the kind of machine."""
    lines = _CPU_INFO.read_text().splitlines() if _CPU_INFO.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
