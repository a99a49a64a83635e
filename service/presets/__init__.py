"""Presets: experiments ready to post, one YAML file each beside this one."""

from functools import cache
from importlib.resources import files
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from service.errors import NotFound
from service.schemas import PresetSummary

USUAL_FIGURE = "unobserved_entry"


@cache
def _presets() -> dict[str, dict[str, Any]]:
    """Every preset by name: `title`, `about`, the name of its `figure`, and the `experiment` to post."""
    read = YAML(typ="safe", pure=True).load
    found = (path for path in files(__name__).iterdir() if path.name.endswith(".yaml"))
    return {path.name.removesuffix(".yaml"): read(StringIO(path.read_text())) for path in found}


def list_presets() -> list[PresetSummary]:
    """All presets, by name."""
    return [
        PresetSummary(
            name=name, title=preset["title"], about=preset["about"].strip(), figure=preset.get("figure", USUAL_FIGURE)
        )
        for name, preset in sorted(_presets().items())
    ]


def get_preset(name: str) -> dict[str, Any]:
    """The experiment of a preset; raises NotFound."""
    if name not in _presets():
        raise NotFound(f"There is no preset {name!r}; there are {', '.join(sorted(_presets()))}.")
    return _presets()[name]["experiment"]
