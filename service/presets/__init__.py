"""Presets: experiments ready to post, one YAML file each beside this one, and pictures of what they show."""

from functools import cache
from importlib.resources import files
from io import StringIO
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML

from service.errors import NotFound
from service.schemas.lists import PresetSummary

USUAL_FIGURE = "unobserved_entry"
THEMES = ("light", "dark")


class Preset(BaseModel, extra="forbid"):
    """What a file says: what is seen, by whom it was published first, the figure that shows it, what to post."""

    title: str
    about: str
    source: str
    figure: str = USUAL_FIGURE
    experiment: dict[str, Any]

    def summary(self, name: str) -> PresetSummary:
        """The preset in a list."""
        return PresetSummary(
            name=name, title=self.title, about=self.about.strip(), source=self.source.strip(), figure=self.figure
        )


@cache
def all_presets() -> dict[str, Preset]:
    """Every preset by name."""
    read = YAML(typ="safe", pure=True).load
    paths = sorted(files(__name__).iterdir(), key=lambda path: path.name)
    texts = {path.name.removesuffix(".yaml"): path.read_text() for path in paths if path.name.endswith(".yaml")}
    return {name: Preset.model_validate(read(StringIO(text))) for name, text in texts.items()}


def list_presets() -> list[PresetSummary]:
    """All presets, by name."""
    return [preset.summary(name) for name, preset in all_presets().items()]


def get_preset(name: str) -> dict[str, Any]:
    """The experiment of a preset; raises NotFound."""
    if name not in all_presets():
        raise NotFound(f"There is no preset {name!r}; there are {', '.join(all_presets())}.")
    return all_presets()[name].experiment


def picture_name(preset: str, theme: str) -> str:
    """The file in the folder `pictures` that shows a preset in a theme."""
    return f"{preset}.{theme}.png"


def has_pictures(preset: str) -> bool:
    """Whether a preset was drawn; of those that take hours some were not."""
    folder = files(__name__).joinpath("pictures")
    return all(folder.joinpath(picture_name(preset, theme)).is_file() for theme in THEMES)
