"""Models: ways to write the matrix or tensor as a product of trained factors; one file per kind.

The mathematics of each kind is in the file of the same name in `workers.lab.models`.
"""

from typing import Annotated

from pydantic import Field

from workers.runs.base import classes_by_kind
from workers.runs.models.base import ModelBase
from workers.runs.models.contraction import Contraction
from workers.runs.models.cp_tensor import CpTensor
from workers.runs.models.deep_matrix import DeepMatrix
from workers.runs.models.diagonal import Diagonal
from workers.runs.models.difference import Difference
from workers.runs.models.greedy_low_rank import GreedyLowRank
from workers.runs.models.hierarchical_tensor import HierarchicalTensor
from workers.runs.models.least_l1 import LeastL1
from workers.runs.models.least_q import LeastQ
from workers.runs.models.nuclear_norm import NuclearNorm
from workers.runs.models.offset import Offset
from workers.runs.models.soft_impute import SoftImpute
from workers.runs.models.symmetric_matrix import SymmetricMatrix
from workers.runs.models.symmetric_tensor import SymmetricTensor
from workers.runs.models.tensor_train import TensorTrain
from workers.runs.models.tubal import Tubal
from workers.runs.models.tucker import Tucker

Model = Annotated[
    DeepMatrix
    | SymmetricMatrix
    | CpTensor
    | Contraction
    | Diagonal
    | HierarchicalTensor
    | Tucker
    | TensorTrain
    | SymmetricTensor
    | Tubal
    | Difference
    | Offset
    | NuclearNorm
    | LeastL1
    | LeastQ
    | GreedyLowRank
    | SoftImpute,
    Field(discriminator="kind"),
]
MODELS: dict[str, type[ModelBase]] = classes_by_kind(Model)
"""The class of each kind."""

RESERVED: dict[str, str] = {
    "plugin": "Models of others are not taken yet, and GET /v1/plugins lists none; "
    "a model that is multilinear can be written as a contraction.",
}
"""Kinds that are refused by a sentence of their own."""
