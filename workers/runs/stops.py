"""Stops: when a run, or a phase of one, is over."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from workers.runs.base import Count, Natural, NonNegative, SpecModel, misfit

LATEST_TIME = 1e18
"""Latest end of a flow: the loss would be far below rounding."""


class Stop(SpecModel, frozen=True):
    """Stop after `max_steps`, or once the loss is strictly below `loss_below`, an absolute loss; 0 stands for never.

    The loss is checked at every step and the first check that holds ends the run, unless told otherwise: checked at
    the multiples of `check_every` only, and over after `checks_in_a_row` checks that hold. The authors' tensor
    experiments check every 100 steps and ask for three in a row, so that they descend for at least 200 steps more.

    A gradient_flow stops at `max_time` in place of `max_steps`, or as soon as its loss is below the limit.
    """

    max_steps: Natural | None = None
    max_time: Annotated[float, Field(ge=0, le=LATEST_TIME)] | None = None
    loss_below: NonNegative | None = None
    check_every: Count = 1
    checks_in_a_row: Count = 1

    @property
    def at_first_step_below(self) -> bool:
        """Whether the first step below the limit ends the run."""
        return self.check_every == self.checks_in_a_row == 1

    @model_validator(mode="after")
    def _checks_of_a_limit(self) -> Self:
        if self.loss_below is None and not self.at_first_step_below:
            raise misfit(("loss_below",), "Say which loss is checked: give loss_below.")
        return self
