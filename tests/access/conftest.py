"""An API that asks for keys, and keys for it."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Limits, Settings
from service.store.database import Database
from service.use_cases.keys import create_key

Calling = Callable[..., TestClient]


@pytest.fixture
def guarded(database: Database, settings: Settings) -> Iterator[TestClient]:
    """Listens beyond the loopback, so keys are asked for."""
    app = create_app(settings.model_copy(update={"host": "0.0.0.0"}), Limits())
    with TestClient(app, base_url="http://rankward.example") as client:
        yield client


@pytest.fixture
def key(database: Database) -> Callable[..., str]:
    """Makes a key with scopes and quotas."""

    def make(*scopes: str, **quotas: float) -> str:
        return create_key(database, "test", scopes or ("read", "submit"), quotas)

    return make


@pytest.fixture
def bearer(key: Callable[..., str]) -> Callable[..., dict[str, str]]:
    """Headers with a new key."""
    return lambda *scopes, **quotas: {"Authorization": f"Bearer {key(*scopes, **quotas)}"}
