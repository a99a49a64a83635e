"""The service that the presets and the authors' settings run on."""

from collections.abc import Iterator

import pytest

from service.client.api import Rankward
from service.settings import Settings
from tests.helpers.databases import Templates
from tests.helpers.in_process import in_process


@pytest.fixture(scope="package")
def client(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[Rankward]:
    """Of a service in this process, for all these tests."""
    folder = tmp_path_factory.mktemp("presets")
    database = templates.sqlite(folder / "rankward.db")
    with database as url, in_process(Settings(data_dir=folder, database_url=url)) as connected:
        yield connected
