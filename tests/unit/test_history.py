"""The history of a chunk: how many states it has, and which factors are finite."""

import numpy as np
import pytest
import torch

from workers.lab.engines.descent.history import LONGEST_CHUNK, History
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


@pytest.mark.parametrize("longest", [1, 5, LONGEST_CHUNK, 10**9])
def test_it_is_no_longer_than_the_steps_that_are_taken(longest):
    layout = FactorLayout(((2, 3), (3, 2)), 2)
    history = History(layout, 1, 0, torch.float64, torch.device("cpu"), longest=longest)
    assert history.capacity == min(longest, LONGEST_CHUNK)
    assert len(history.states) == len(history.factors) == history.capacity + 1
