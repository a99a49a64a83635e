"""The distributions of this checkout, built once."""

import pytest

from tests.helpers.distributions import Built, build_all


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_all(tmp_path_factory.mktemp("built"))
