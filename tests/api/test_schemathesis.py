"""Schemathesis: whatever is sent to any operation of the OpenAPI document, the answer is one that it promises.

A few cases of each operation by default; `--long` sends 2000. Half of the cases name an experiment or run that exists.
"""

import shutil

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.app import create_app
from service.dispatch.loop import Dispatcher
from service.dispatch.membership import Membership
from service.settings import Limits, Settings
from service.store.database import Database
from service.store.migrate import migrate
from service.use_cases.keys import create_key
from tests.helpers.inline_cluster import InlineCluster
from tests.helpers.specs import BASIC

pytestmark = pytest.mark.slow

FEW, MANY = 10, 2000
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Archives are made by a test of their own; here, what is no archive is sent.
schemathesis.openapi.media_type("application/vnd.apache.parquet", st.binary(max_size=100) | st.just(b"PAR1PAR1"))
DOCUMENT = create_app(Settings(database_url="sqlite://")).openapi()
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]
FINISHED = {"run": BASIC | {"stop": {"max_steps": 200}}, "sweep": [{"model.depth": [2, 3]}]}
LIMITS = Limits(max_requests_per_minute=10**9)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """A database with a finished experiment and a waiting one, and an admin's key."""
    directory = tmp_path_factory.mktemp("stocked")
    settings = Settings(data_dir=directory, host="0.0.0.0", poll_seconds=0.001)
    migrate(settings.url)
    database = Database(settings.url)
    key = create_key(database, "schemathesis", ["admin"], {})
    membership = Membership(database, None, 3600)
    assert membership.try_to_join()
    dispatcher = Dispatcher(database, InlineCluster(), settings, membership)
    with get_client(create_app(settings, LIMITS)) as api:
        headers = {"Authorization": f"Bearer {key}"}
        assert api.post("/v1/experiments", json=FINISHED, headers=headers).status_code == 202
        for _ in range(20):
            dispatcher.tick()
        assert api.post("/v1/experiments", json=FINISHED, headers=headers).status_code == 202
        ids = {
            f"{kind}_id": [one["id"] for one in api.get(f"/v1/{kind}s", headers=headers).json()["items"]]
            for kind in ("experiment", "run")
        }
        assert {run["status"] for run in api.get("/v1/runs", headers=headers).json()["items"]} == {
            "succeeded",
            "queued",
        }
    database.close()
    return directory, headers, ids | {"name": ["first_look"]}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("operation", [pytest.param(one, id=one.label) for one in OPERATIONS])
def test_every_answer_is_one_that_the_document_promises(operation, stocked, tmp_path, long_mode):
    directory, headers, ids = stocked
    shutil.copytree(directory, tmp_path, dirs_exist_ok=True)
    app = create_app(Settings(data_dir=tmp_path, host="0.0.0.0"), LIMITS)
    cases = st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
    existing = st.fixed_dictionaries({name: st.sampled_from(known) for name, known in ids.items()})

    with get_client(app) as client:

        @hypothesis_settings(
            max_examples=MANY if long_mode else FEW, deadline=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=cases, known=st.none() | existing)
        def check(case, known):
            if known is not None:
                case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
            response = case.call(session=client, headers=headers)
            unready = operation.path == "/readyz" and response.status_code == 503  # what it is for, so no error
            case.validate_response(response, checks=CHECKS[unready:])

        check()
