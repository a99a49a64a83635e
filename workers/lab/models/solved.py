"""Baselines as models: W itself is the only factor, and is not trained; the solvers are in `workers.lab.baselines`."""

from workers.lab.models.deep_matrix import DeepMatrixMaths


class SolvedMaths(DeepMatrixMaths):
    """A product of one factor."""
