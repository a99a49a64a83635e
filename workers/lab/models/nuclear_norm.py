"""Nuclear norm minimisation as a model: W itself is the only factor, and is not trained.

The solver is `workers.lab.baselines.nuclear_norm`.
"""

from workers.lab.models.deep_matrix import DeepMatrixMaths


class NuclearNormMaths(DeepMatrixMaths):
    """A product of one factor."""
