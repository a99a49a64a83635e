"""Factors over HTTP: as they stand, and as they were kept at steps."""

import io

import numpy as np
import pytest
import sqlalchemy as sa

from service.errors import NotFound
from service.store.tables import factor_snapshots
from service.use_cases.factors import factors_at
from tests.api.test_continuations import extend, finished, posted
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC, FLOW

EVERY_TEN = {"every": 50, "factors": {"every": 10}}
SHORT = {"max_steps": 45}


def loaded(response):
    assert response.status_code == 200, response.text
    with np.load(io.BytesIO(response.content), allow_pickle=False) as arrays:
        return [arrays[f"factor_{number}"] for number in range(len(arrays))]


def steps_of(api, run):
    answer = api.get(f"/v1/runs/{run['id']}/factors/steps").json()
    assert answer["run_id"] == run["id"]
    return answer["steps"]


@BOTH_DATABASES
@pytest.mark.parametrize("parts", [{}, {"precision": "float32"}, {"engine": "fused"}], ids=str)
def test_the_factors_of_a_step_are_those_of_a_run_that_ends_there(api, finish, parts):
    run = posted(finish, api, stop=SHORT, record=EVERY_TEN, **parts)
    assert steps_of(api, run) == [0, 10, 20, 30, 40]
    shorter = posted(finish, api, stop={"max_steps": 20}, **parts)
    ours = loaded(api.get(f"/v1/runs/{run['id']}/factors?step=20"))
    theirs = loaded(api.get(f"/v1/runs/{shorter['id']}/factors"))
    assert [factor.shape for factor in ours] == [(2, 2)] * 3
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype == np.dtype(run["spec"]["precision"])
        np.testing.assert_array_equal(one, other)
    assert steps_of(api, shorter) == []


def test_the_file_is_named_after_run_and_step(api, finish):
    run = posted(finish, api, stop=SHORT, record=EVERY_TEN)
    now, then = (api.get(f"/v1/runs/{run['id']}/factors{query}") for query in ("", "?step=10"))
    assert now.headers["content-disposition"] == f'attachment; filename="{run["id"]}.npz"'
    assert then.headers["content-disposition"] == f'attachment; filename="{run["id"]}_10.npz"'
    assert now.content != then.content


@pytest.mark.parametrize(
    ("step", "advice"),
    [
        (7, "the nearest are those of steps 0 and 10"),
        (44, "the nearest is that of step 40"),
        (10**9, "the nearest is that of step 40"),
    ],
)
def test_a_step_that_was_not_kept_is_not_there_and_the_nearest_are_named(api, finish, step, advice):
    run = posted(finish, api, stop=SHORT, record=EVERY_TEN)
    response = api.get(f"/v1/runs/{run['id']}/factors?step={step}")
    assert response.status_code == 404
    assert f"at step {step}; {advice}." in response.json()["detail"]


def test_a_run_that_keeps_none_says_so(api, finish):
    run = posted(finish, api, stop=SHORT)
    response = api.get(f"/v1/runs/{run['id']}/factors?step=0")
    assert response.status_code == 404
    assert "record.factors" in response.json()["detail"]


def test_bad_queries(api, finish):
    run = posted(finish, api, stop=SHORT, record=EVERY_TEN)
    assert api.get(f"/v1/runs/{run['id']}/factors?step=-1").status_code == 422
    assert api.get(f"/v1/runs/{run['id']}/factors?steps=1").status_code == 422
    assert api.get("/v1/runs/none/factors/steps").status_code == 404
    assert api.get("/v1/runs/none/factors?step=1").status_code == 404


@BOTH_DATABASES
def test_an_extended_run_keeps_what_a_longer_one_does(api, finish, dispatcher):
    run = posted(finish, api, stop=SHORT, record=EVERY_TEN)
    assert extend(api, run, max_steps=75).status_code == 202
    longer = finished(api, dispatcher, run["id"])
    whole = posted(finish, api, stop={"max_steps": 75}, record=EVERY_TEN)
    assert steps_of(api, longer) == steps_of(api, whole) == list(range(0, 80, 10))
    for step in steps_of(api, whole):
        ours, theirs = (api.get(f"/v1/runs/{one['id']}/factors?step={step}").content for one in (longer, whole))
        assert ours == theirs


def test_a_flow_keeps_the_points_of_its_schedule(api, finish):
    record = {"points_per_decade": 2, "factors": {"steps": [0, 3, 5]}}
    run = posted(finish, api, **{**FLOW, "engine": "auto", "record": record})
    assert steps_of(api, run) == [0, 3, 5]
    start = loaded(api.get(f"/v1/runs/{run['id']}/factors?step=0"))
    np.testing.assert_allclose(start, [0.1 * np.eye(2)] * 3, atol=1e-16)


@BOTH_DATABASES
def test_deleting_an_experiment_deletes_them(api, finish, database):
    run = posted(finish, api, stop=SHORT, record=EVERY_TEN)
    assert api.delete(f"/v1/experiments/{run['experiment_id']}").status_code == 204
    with database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(factor_snapshots)) == 0


def test_what_is_kept_is_priced_and_limited_before_anything_is_stored(api):
    def dry(factors):
        run = BASIC | {"stop": {"max_steps": 1000}, "record": {"every": 100, "factors": factors}}
        return api.post("/v1/experiments?dry_run=true", json={"run": run, "sweep": [{"seed": [0, 1]}]})

    assert dry({"every": 100}).json()["cost"]["max_snapshot_bytes"] == 2 * 11 * (12 * 8 + 64)
    large = BASIC | {"stop": {"max_steps": 10**9}, "record": {"every": 0, "factors": {"every": 1}}}
    response = api.post("/v1/experiments", json={"run": large})
    (error,) = response.json()["errors"]
    assert (response.status_code, error["pointer"]) == (422, "/run/record/factors")
    assert "max_snapshot_bytes of 268,435,456" in error["detail"]
    assert "RANKWARD_MAX_SNAPSHOT_BYTES" in error["detail"]


def test_an_extension_beyond_the_limit_is_refused(api, finish):
    run = posted(finish, api, stop=SHORT, record={"every": 0, "factors": {"every": 1}})
    response = extend(api, run, max_steps=10**9)
    assert response.status_code == 422
    assert "max_snapshot_bytes" in response.json()["errors"][0]["detail"]


def test_the_page_links_to_the_last_ones(api, finish):
    run = posted(finish, api, stop={"max_steps": 200}, record=EVERY_TEN)
    page = api.get(f"/runs/{run['id']}").text
    assert f"/v1/runs/{run['id']}/factors?step=200" in page
    assert f"/v1/runs/{run['id']}/factors?step=110" in page
    assert f"/v1/runs/{run['id']}/factors?step=100" not in page
    assert "all 21" in page


def test_a_function_gives_them_to_the_service(api, finish, database):
    run = posted(finish, api, stop=SHORT, record=EVERY_TEN)
    with database.reading() as connection:
        for step in (None, 30):
            query = "" if step is None else f"?step={step}"
            ours = factors_at(connection, run["id"], step)
            for one, other in zip(ours, loaded(api.get(f"/v1/runs/{run['id']}/factors{query}")), strict=True):
                np.testing.assert_array_equal(one, other)
        with pytest.raises(NotFound):
            factors_at(connection, run["id"], 31)
