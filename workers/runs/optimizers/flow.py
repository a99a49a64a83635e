"""The flow that is the limit of small steps."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from workers.runs.optimizers.base import OptimizerBase


class GradientFlow(OptimizerBase, frozen=True):
    """dF/dt = -gradient - weight_decay F, the limit of small learning rates, with steps of its own choice.

    The local error of a step is kept below `rtol` |y| + `atol` min(1, largest |y|) for each number y that is
    integrated: those of the factors, or of their product from a balanced start (`workers.runs.conservation`). A state
    holds the factors now and where the stretch of steps began that led there, then the numbers of
    `workers.lab.engines.flow.state`.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "gradient_flow", "rtol": 1e-6}
    slots: ClassVar[int] = 2
    scalars: ClassVar[int] = 8
    is_flow: ClassVar[bool] = True
    kind: Literal["gradient_flow"]
    rtol: Annotated[float, Field(ge=1e-13, le=1e-2)] = 1e-9
    atol: Annotated[float, Field(gt=0, le=1)] = 1e-12
