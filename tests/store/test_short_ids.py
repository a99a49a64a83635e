"""Short ids: the start or the end of an id stands for it wherever an id is taken, on both databases."""

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import AmbiguousId
from service.store.short_ids import LEAST_END, LEAST_START, full_id
from service.store.tables import experiments, runs
from service.values.ids import new_id
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC

TWO = {"run": BASIC, "sweep": [{"seed": [0, 1]}]}


def experiment_row(public_id):
    text = {"name": "", "tags": {}, "run": {}, "sweep": [], "body_digest": ""}
    return {"public_id": public_id, "created_at": datetime.now(UTC), **text}


@pytest.fixture
def ids(database):
    stored = [new_id() for _ in range(200)]
    with database.writing() as connection:
        connection.execute(sa.insert(experiments), [experiment_row(public_id) for public_id in stored])
    return stored


@BOTH_DATABASES
def test_a_short_form_stands_for_the_only_id_that_has_it(database, ids):
    """Held against a search through all ids, for starts and ends of every length."""

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
    @given(st.sampled_from(ids), st.integers(1, 36), st.booleans(), st.booleans())
    def check(public_id, length, from_start, shouted):
        text = public_id[:length] if from_start else public_id[-length:]
        starting = [other for other in ids if other.startswith(text) and length >= LEAST_START]
        ending = [other for other in ids if other.endswith(text) and length >= LEAST_END]
        meant = {*starting, *ending}
        given_text = text.upper() if shouted and length < 36 else text
        with database.reading() as connection:
            if len(meant) > 1:
                with pytest.raises(AmbiguousId, match="several experiments"):
                    full_id(connection, "experiment", given_text)
            else:
                assert full_id(connection, "experiment", given_text) == next(iter(meant), given_text)

    check()


@BOTH_DATABASES
def test_the_last_eight_characters_tell_ids_of_one_moment_apart(database, ids):
    with database.reading() as connection:
        assert [full_id(connection, "experiment", public_id[-8:]) for public_id in ids] == ids


@BOTH_DATABASES
@pytest.mark.parametrize(
    "text", ["", "x", "%", "%%%%%%%%", "_" * 8, "a' OR '1", "\x00" * 9, "ffffffff", "-" * 20, "é" * 9]
)
def test_what_stands_for_nothing_stays_as_it_is(database, ids, text):
    with database.reading() as connection:
        assert full_id(connection, "run", text) == text
        assert full_id(connection, "experiment", text) == text


@BOTH_DATABASES
def test_whole_ids_cost_no_query_and_short_ones_go_through_indexes(database, ids):
    statements = []
    with database.reading() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *event: statements.append(event[2:4]))
        connection.scalar(sa.select(1))
        statements.clear()  # SQLite's BEGIN too
        full_id(connection, "experiment", ids[0])
        assert statements == []
        full_id(connection, "experiment", ids[0][-8:])
        ((statement, parameters),) = statements
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")
        explain = "EXPLAIN " if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        plan = str(connection.exec_driver_sql(explain + statement, parameters).all())
    assert "ix_experiments_id_end" in plan
    assert re.search("uq_experiments_public_id|sqlite_autoindex_experiments", plan)


def short_forms(public_id):
    return [public_id[-8:], public_id[-12:], public_id[-8:].upper()]


@pytest.fixture
def experiment(finish):
    return finish(TWO)


def test_every_path_takes_them(api, experiment):
    """Walks over all routes with an id in the path; answers are those for the whole id."""
    run = api.get("/v1/runs", params={"experiment_id": experiment["id"]}).json()["items"][0]
    whole = {"{experiment_id}": experiment["id"], "{run_id}": run["id"], "{file}": "metrics.json"}
    walked = 0
    for path, methods in api.get("/openapi.json").json()["paths"].items():
        if ("{experiment_id}" not in path and "{run_id}" not in path) or "get" not in methods:
            continue
        address = path
        for name, value in whole.items():
            address = address.replace(name, value)
        expected = api.get(address)
        for form in range(3):
            short = path
            for name, value in whole.items():
                short = short.replace(name, value if name == "{file}" else short_forms(value)[form])
            answer = api.get(short)
            assert (answer.status_code, answer.content) == (expected.status_code, expected.content), short
        walked += 1
    assert walked >= 9


def test_pages_and_actions_take_them(api, experiment):
    run = api.get("/v1/runs", params={"experiment_id": experiment["id"][-8:]}).json()["items"][0]
    for path in (
        f"/experiments/{experiment['id'][-8:]}",
        f"/runs/{run['id'][-8:]}",
        f"/experiments/{experiment['id'][-8:]}/groups",
    ):
        assert api.get(path).status_code == 200, path
    compared = api.get("/compare", params={"experiment": [experiment["id"][-8:], experiment["id"]]})
    assert compared.status_code == 200
    path = f"/v1/experiments/{experiment['id'][-8:]}"
    assert api.patch(path, json={"name": "renamed"}).json()["id"] == experiment["id"]
    assert api.post(f"{path}/cancel").json()["id"] == experiment["id"]
    assert api.post(f"/v1/runs/{run['id'][-8:]}/extend", json={"max_steps": 100_000}).json()["id"] == run["id"]
    assert api.delete(path).status_code == 204
    assert api.get(f"/v1/experiments/{experiment['id']}").status_code == 404


def test_parameters_take_them(api, finish, experiment):
    short = experiment["id"][-8:]
    other = finish(TWO)
    listed = api.get("/v1/runs", params={"experiment_id": short, "limit": 1}).json()
    assert listed["items"][0]["experiment_id"] == experiment["id"]
    rest = api.get("/v1/runs", params={"experiment_id": short, "limit": 1, "cursor": listed["next"]}).json()
    assert rest["items"][0]["index"] == 1
    for path in ("/v1/runs", "/v1/trajectories"):
        for format in ("csv", "ndjson") if path == "/v1/runs" else ("csv", "json"):
            whole = api.get(path, params={"experiment_id": experiment["id"], "format": format})
            assert api.get(path, params={"experiment_id": short, "format": format}).content == whole.content != b""
    figure = f"/v1/experiments/{short}/figures/compare.json"
    whole = api.get(f"/v1/experiments/{experiment['id']}/figures/compare.json", params={"with": other["id"]})
    assert api.get(figure, params={"with": other["id"][-8:]}).content == whole.content
    assert api.get(figure, params={"with": short}).content == api.get(figure).content


@BOTH_DATABASES
def test_those_of_several_are_refused_with_a_sentence(api, database):
    first, second = (api.post("/v1/experiments", json=TWO).json()["id"] for _ in range(2))
    start = first[: next(i for i in range(36) if first[i] != second[i])]
    runs_start = start[:8]
    asked = [f"/v1/experiments/{start}", f"/v1/experiments/{start}/figures", f"/v1/experiments/{start}/events"]
    asked += [f"/v1/runs/{runs_start}/trajectory", f"/v1/runs?experiment_id={start}", f"/experiments/{start}"]
    asked += [f"/v1/trajectories?experiment_id={start}", f"/v1/experiments/{first}/figures/compare.svg?with={start}"]
    for path in asked:
        answer = api.get(path, headers={"Accept": "application/json"})
        assert answer.status_code == 409, path
        assert "several" in answer.text
    assert api.delete(f"/v1/experiments/{start}").json()["type"].endswith("ambiguous-id")
    with database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(runs)) == 4
