"""The experiment that a tool is given: whole, or as the name of a preset."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from service.client.api import Rankward
from service.errors import RankwardError

Experiment = Annotated[
    dict[str, Any] | None,
    Field(
        description='An experiment: {"name", "tags", "run", "sweep"}; `run` is a base, and each axis of `sweep` an '
        'object of dotted paths and lists of values, e.g. [{"model.depth": [2, 3]}, {"seed": [0, 1]}]; axes cross.'
    ),
]
Preset = Annotated[str | None, Field(description="The name of a preset, in place of an experiment.")]


class OneOfTwo(RankwardError):
    """An experiment or a preset is needed"""


def chosen(client: Rankward, experiment: Mapping[str, Any] | None, preset: str | None) -> Mapping[str, Any]:
    """The experiment itself, or the preset's; raises OneOfTwo unless exactly one is given."""
    if (experiment is None) == (preset is None):
        raise OneOfTwo("Give either `experiment`, an object with `run` in it, or `preset`, the name of a preset.")
    return client.preset(preset) if preset is not None else experiment or {}
