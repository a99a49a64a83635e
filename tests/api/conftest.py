"""Experiments that several files look at."""

import pytest

from tests.api.figures import MATRICES


@pytest.fixture
def matrices(finish):
    """Finished runs of two depths, two learning rates and two seeds."""
    return finish(MATRICES)
