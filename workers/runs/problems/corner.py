"""Problems with the corner W00 unobserved and every other entry observed: the settings of Razin and Cohen 2020."""

from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from workers.runs.base import Count
from workers.runs.problems.base import Array, ObservedEntries, ProblemBase


class Perturbed2x2(ProblemBase, frozen=True):
    """W01 = z, W10 = z_prime, W11 = epsilon are observed and W00 is not; the basic setting by default."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "perturbed_2x2", "z": 1.5, "epsilon": 0.25}

    kind: Literal["perturbed_2x2"]
    z: float = 1.0
    z_prime: float = 1.0
    epsilon: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        return (2, 2)

    @property
    def observation_count(self) -> int:
        return 3

    @property
    def is_target_known(self) -> bool:
        return False

    def observe(self) -> ObservedEntries:
        return _all_but_corner(np.array([[0.0, self.z], [self.z_prime, self.epsilon]]))


class AllButCorner(ProblemBase, frozen=True):
    """d x d, all observed but W00: W01 = W10 = 1, Wii = 1 for i >= 2, the rest 0."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "all_but_corner", "dimension": 2}
    can_be_labels: ClassVar[bool] = False

    kind: Literal["all_but_corner"]
    dimension: Annotated[Count, Field(ge=2)]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.dimension, self.dimension)

    @property
    def observation_count(self) -> int:
        return prod(self.shape) - 1

    @property
    def is_target_known(self) -> bool:
        return False

    def observe(self) -> ObservedEntries:
        values = np.eye(self.dimension)
        values[:2, :2] = [[0.0, 1.0], [1.0, 0.0]]
        return _all_but_corner(values)


def _all_but_corner(values: Array) -> ObservedEntries:
    mask = np.ones(values.shape, dtype=bool)
    mask[0, 0] = False
    return ObservedEntries(values, mask, None)
