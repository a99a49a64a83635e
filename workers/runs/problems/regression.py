"""Regression: a matrix W that maps inputs to outputs, given in the spec or drawn by a seed."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from workers.runs.base import Count, Listed, NonNegative, SpecModel, misfit
from workers.runs.problems.base import (
    HELD_OUT_STREAM,
    MEASUREMENT_STREAM,
    NOISE_STREAM,
    PERMUTATION_STREAM,
    TARGET_STREAM,
    Array,
    LinearMeasurements,
    ProblemBase,
    stream_of,
)
from workers.runs.problems.tables import AS_ROWS, Table, check_rows, to_table
from workers.runs.seeds import Seed
from workers.runs.shapes import Tensor

Rows = Annotated[Tensor, Listed, Field(min_length=1), AfterValidator(to_table), AS_ROWS]


class Samples(SpecModel, frozen=True):
    """Inputs (samples, dimension), and an output for each of them: a number, or a list of numbers."""

    inputs: Rows
    outputs: Rows

    @property
    def input_rows(self) -> Array:
        """Inputs, (samples, dimension)."""
        table: Any = self.inputs
        assert isinstance(table, Table)
        return table.rows

    @property
    def output_rows(self) -> Array:
        """Outputs, (samples, outputs)."""
        table: Any = self.outputs
        assert isinstance(table, Table)
        return table.rows

    @model_validator(mode="after")
    def _an_output_for_each_input(self) -> Self:
        check_rows(self.inputs, "inputs", may_be_numbers=False)
        check_rows(self.outputs, "outputs", may_be_numbers=True)
        inputs, outputs = len(self.inputs), len(self.outputs)
        if inputs != outputs:
            raise misfit(
                ("outputs",), f"There are {inputs} inputs and {outputs} outputs; give as many outputs as inputs."
            )
        return self


class RegressionBase(ProblemBase, frozen=True):
    """The matrix W (outputs, dimension) acts on an input x as W x; its observations are the outputs of samples."""

    observes_entries: ClassVar[bool] = False

    @property
    def observation_count(self) -> int:
        return self.sample_count * self.shape[0]

    @property
    def sample_numbers(self) -> int:
        return self.shape[1]

    def numbers_of(self, samples: int) -> int:
        return samples * (self.sample_numbers + self.shape[0])

    @property
    def batch_words(self) -> str:
        return f"samples={self.sample_count}"


class Regression(RegressionBase, Samples, frozen=True):
    """Samples written out in the spec; further ones that are `held_out` give a test loss.

    W is (k, d) for outputs (n, k) and inputs (n, d), and (1, d) where every output is a number.
    """

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "regression",
        "inputs": [[1.0, 0.5], [0.0, 1.0], [-1.0, 2.0]],
        "outputs": [[0.625, 0.0], [0.25, 1.0], [0.0, 2.5]],
        "held_out": {"inputs": [[1.0, 1.0]], "outputs": [[0.0, 0.5]]},
    }

    kind: Literal["regression"]
    held_out: Samples | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.output_rows.shape[1], self.input_rows.shape[1])

    @property
    def sample_count(self) -> int:
        return len(self.inputs)

    @property
    def is_target_known(self) -> bool:
        return False

    def observe(self) -> LinearMeasurements:
        return LinearMeasurements(self.input_rows, self.output_rows, None)

    @property
    def held_out_count(self) -> int:
        return 0 if self.held_out is None else len(self.held_out.inputs)

    def hold_out(self) -> "Regression | None":
        return None if self.held_out is None else _regression(self.held_out.inputs, self.held_out.outputs)

    @model_validator(mode="after")
    def _held_out_alike(self) -> Self:
        if self.held_out is None:
            return self
        for name in ("inputs", "outputs"):
            ours, theirs = getattr(self, name).rows.shape[1], getattr(self.held_out, name).rows.shape[1]
            if ours != theirs:
                raise misfit(
                    ("held_out", name), f"The {name} have {ours} numbers each, and these have {theirs}; give {ours}."
                )
        return self


class RandomRegression(RegressionBase, frozen=True):
    """A seeded W with independent standard normal entries, and its outputs at standard normal inputs.

    With `sparsity`, so many entries of each row of W are drawn and the others are 0. Outputs have noise of standard
    deviation `noise`; held-out samples are fresh ones without noise. The first samples stay the same with more.
    """

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "random_regression",
        "samples": 5,
        "dimension": 3,
        "outputs": 2,
        "sparsity": 2,
        "noise": 0.01,
        "held_out": 2,
    }
    can_be_labels: ClassVar[bool] = False

    kind: Literal["random_regression"]
    samples: Count
    dimension: Count
    outputs: Count = 1
    sparsity: Count | None = None
    noise: NonNegative = 0.0
    held_out: Count | None = None
    seed: Seed = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.outputs, self.dimension)

    @property
    def sample_count(self) -> int:
        return self.samples

    @property
    def is_target_known(self) -> bool:
        return True

    def target(self) -> Array:
        """W, (outputs, dimension)."""
        dense = stream_of(self.seed, TARGET_STREAM).standard_normal(self.shape)
        if self.sparsity is None:
            return dense
        places = stream_of(self.seed, PERMUTATION_STREAM).random(self.shape).argsort(axis=1)[:, : self.sparsity]
        sparse = np.zeros(self.shape)
        np.put_along_axis(sparse, places, np.take_along_axis(dense, places, axis=1), axis=1)
        return sparse

    def observe(self) -> LinearMeasurements:
        target = self.target()
        inputs = stream_of(self.seed, MEASUREMENT_STREAM).standard_normal((self.samples, self.dimension))
        outputs = inputs @ target.T
        if self.noise:
            outputs += self.noise * stream_of(self.seed, NOISE_STREAM).standard_normal(outputs.shape)
        return LinearMeasurements(inputs, outputs, target)

    @property
    def held_out_count(self) -> int:
        return self.held_out or 0

    def hold_out(self) -> "Regression | None":
        if self.held_out is None:
            return None
        inputs = stream_of(self.seed, HELD_OUT_STREAM).standard_normal((self.held_out, self.dimension))
        return _regression(Table(inputs), Table(inputs @ self.target().T))

    @model_validator(mode="after")
    def _sparsity_is_possible(self) -> Self:
        if self.sparsity is not None and self.sparsity > self.dimension:
            raise misfit(("sparsity",), f"A row of W has {self.dimension} entries; draw at most that many.")
        return self


def _regression(inputs: Any, outputs: Any) -> Regression:
    return Regression.model_construct(kind="regression", inputs=inputs, outputs=outputs)
