"""The history of a chunk: which factors are finite."""

import numpy as np
import pytest
import torch

from workers.lab.engines.descent.history import History
from workers.lab.models.layout import FactorLayout


@pytest.mark.parametrize("factor", [0, 1])
@pytest.mark.parametrize("bad", [[np.inf], [-np.inf], [np.nan], [np.inf, -np.inf]], ids=str)
def test_numbers_that_are_not_finite_are_seen_in_their_run(bad, factor):
    history = History(FactorLayout(((2, 3), (3, 2)), 3), 1, 0, torch.float64, torch.device("cpu"))
    history.factors[1][factor][1].flatten()[: len(bad)] = torch.tensor(bad, dtype=torch.float64)
    assert history.finite(1).tolist() == [True, False, True]
    assert history.finite(0).all()


def test_factors_whose_sum_overflows_are_finite():
    history = History(FactorLayout(((2, 3), (3, 2)), 2), 1, 0, torch.float64, torch.device("cpu"))
    history.factors[0][0][0].fill_(1.7e308)
    assert history.finite(0).all()
    history.factors[0][1][1, 2, 1] = np.nan
    assert history.finite(0).tolist() == [True, False]
