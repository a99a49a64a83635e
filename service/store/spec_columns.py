"""The columns of `runs` that hold parts of a spec, each defined by a single row of `SPEC_COLUMNS`.

The table, rows of new runs, filters and the columns of exports are loops over it. A new column is a row here and a
revision that adds it to the table and to the views (CONTRIBUTING.md says how).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from service.store.naturals import Natural
from workers.runs.shapes import halves_of
from workers.runs.spec import RunSpec


@dataclass(frozen=True)
class SpecColumn:
    """A column of `runs` that follows from the spec.

    Attributes:
        name: in the table `runs`.
        view: in the SQL view `run_summary`.
        kind: its SQL type.
        path: dotted path of the value in a spec, used by filters and exports; None for a computed value.
        compute: function from a spec to the value; by default the value at the path, or None without one.
        of_training: whether only runs that train a model have it. The init, optimiser and stop of a nuclear_norm serve
            the descents of its sweep and are not properties of its run.
        is_required: whether every run has a value; "none" for a column of training in a run without it.
    """

    name: str
    view: str
    kind: TypeEngine[Any]
    path: str | None = None
    compute: Callable[[RunSpec], Any] | None = None
    of_training: bool = False
    is_required: bool = False

    def value(self, spec: RunSpec) -> Any:
        """The column's value in the row of a run."""
        if self.of_training and not spec.model.is_trained:
            return "none" if self.is_required else None
        if self.compute is not None:
            return self.compute(spec)
        assert self.path is not None
        return reduce(lambda part, name: getattr(part, name, None), self.path.split("."), spec)


def _sizes(spec: RunSpec) -> tuple[int, int]:
    """Rows and columns of the product as a matrix."""
    first, last = halves_of(spec.problem.shape)
    return prod(first), prod(last)


def _std(spec: RunSpec) -> float | None:
    """The standard deviation of the start, unless each factor has another."""
    std = getattr(spec.init, "std", None)
    return None if isinstance(std, tuple) else std


def _rate(spec: RunSpec) -> float | None:
    """The learning rate that is the same at every step; a schedule is in the spec alone."""
    rate = getattr(spec.optimizer, "learning_rate", None)
    return rate if isinstance(rate, float) else None


_INTEGER, _BIG, _DOUBLE, _BOOLEAN = sa.Integer(), sa.BigInteger(), sa.Double(), sa.Boolean()
_WORD, _KIND = sa.String(16), sa.String(32)

SPEC_COLUMNS = (
    SpecColumn("problem_kind", "problem_kind", _KIND, "problem.kind", is_required=True),
    SpecColumn("rows", "product_rows", _INTEGER, compute=lambda spec: _sizes(spec)[0], is_required=True),
    SpecColumn("columns", "product_columns", _INTEGER, compute=lambda spec: _sizes(spec)[1], is_required=True),
    SpecColumn("model_kind", "model_kind", _KIND, "model.kind", is_required=True),
    SpecColumn("depth", "model_depth", _INTEGER, "model.depth"),
    SpecColumn(
        "components", "model_components", _INTEGER, compute=lambda spec: spec.model.components(spec.problem.shape)
    ),
    SpecColumn("tensor_order", "tensor_order", _INTEGER, compute=lambda spec: len(spec.problem.shape)),
    SpecColumn("observed", "observed", _INTEGER, compute=lambda spec: spec.problem.observation_count),
    SpecColumn("init_kind", "init_kind", _WORD, "init.kind", of_training=True, is_required=True),
    SpecColumn("init_std", "init_std", _DOUBLE, "init.std", compute=_std, of_training=True),
    SpecColumn("init_std_of", "init_std_of", _WORD, "init.std_of", of_training=True),
    SpecColumn("init_scale", "init_scale", _DOUBLE, "init.scale", of_training=True),
    SpecColumn("balanced", "init_balanced", _BOOLEAN, "init.balanced", of_training=True),
    SpecColumn("determinant", "init_determinant", _WORD, "init.determinant", of_training=True),
    SpecColumn("optimizer_kind", "optimizer_kind", _KIND, "optimizer.kind", of_training=True, is_required=True),
    SpecColumn("learning_rate", "learning_rate", _DOUBLE, "optimizer.learning_rate", compute=_rate, of_training=True),
    SpecColumn("max_steps", "max_steps", _BIG, "stop.max_steps", of_training=True),
    SpecColumn("max_time", "max_time", _DOUBLE, "stop.max_time", of_training=True),
    SpecColumn("loss_below", "loss_below", _DOUBLE, "stop.loss_below", of_training=True),
    SpecColumn("loss_kind", "loss_kind", _WORD, "loss", lambda spec: spec.loss.kind, is_required=True),
    SpecColumn("precision", "precision", _WORD, "precision", is_required=True),
    SpecColumn("seed", "seed", Natural(), "seed", is_required=True),
)

NAMED_COLUMNS = {column.path: column for column in SPEC_COLUMNS if column.path is not None}
"""Columns by the paths of filters; an export without `fields` shows all of them."""


def table_columns() -> list[sa.Column[Any]]:
    """The columns for the table `runs`."""
    return [sa.Column(column.name, column.kind, nullable=not column.is_required) for column in SPEC_COLUMNS]


def column_values(spec: RunSpec) -> dict[str, Any]:
    """The values of a spec's columns."""
    return {column.name: column.value(spec) for column in SPEC_COLUMNS}
