"""HEAD wherever GET is: the same status and headers, and no body."""

import pytest
from starlette.routing import Mount

from tests.helpers.specs import BASIC

OF_EACH_ANSWER = ("x-request-id", "date", "ratelimit")
CHANGING = ("/metrics", "/readyz")
"""What counts its answers, or tells how many seconds ago something was: the same answer twice has two lengths."""
FILES = {
    "/v1/experiments/{experiment_id}/figures/{file}": ["metrics.png", "metrics.svg", "metrics.json", "none.png"],
    "/v1/presets/{name}": ["first_look", "none"],
    "/static/{digest}/{name}": ["base.css", "none.css"],
}
QUERIES = {
    "/compare": ["", "?experiment={experiment_id}"],
    "/v1/runs": ["", "?format=csv", "?format=parquet", "?limit=1", "?where=nonsense"],
    "/v1/trajectories": ["", "?format=arrow", "?format=ndjson"],
    "/v1/runs/{run_id}/trajectory": ["", "?format=csv", "?max_points=0"],
    "/v1/experiments/{experiment_id}/summary": ["?group_by=seed&metric=loss", ""],
    "/v1/experiments/{experiment_id}/curves": ["?group_by=seed&metric=loss", ""],
    "/experiments/{experiment_id}/groups": ["?group_by=seed&metric=loss"],
}


def paths_of(routes, prefix=""):
    """Paths of everything that answers GET, as they are written in the routes."""
    for route in routes:
        if isinstance(route, Mount):
            yield f"{route.path}/swagger-ui.css"
        elif "GET" in (getattr(route, "methods", None) or ()):
            yield route.path
        else:
            for context in getattr(route, "effective_route_contexts", list)():
                if "GET" in (context.methods or ()):
                    yield context.path


def shown(answer, path):
    headers = {name: value for name, value in answer.headers.items() if name not in OF_EACH_ANSWER}
    return headers.keys() if path in CHANGING else headers


@pytest.fixture
def paths(api, finish):
    experiment = finish({"run": BASIC | {"stop": {"max_steps": 20}}, "sweep": [{"seed": [0, 1]}]})
    ids = {"experiment_id": experiment["id"], "run_id": api.get("/v1/runs").json()["items"][0]["id"], "digest": "any"}
    templates = list(paths_of(api.app.routes))
    return [
        f"{template}{query}".replace(":path}", "}").format(**ids, file=name, name=name)
        for template in templates
        for name in FILES.get(template, [""])
        for query in QUERIES.get(template, [""])
    ]


@pytest.mark.slow
def test_head_is_get_without_a_body_wherever_get_is(api, paths):
    checked = set()
    for path in paths:
        get, head = (api.request(method, path, follow_redirects=False) for method in ("GET", "HEAD"))
        assert head.status_code == get.status_code, path
        assert shown(head, path) == shown(get, path), path
        assert head.content == b"", path
        checked.add(path.partition("?")[0])
    assert len(checked) > 30
    assert {"/", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/docs/assets/swagger-ui.css"} <= checked


def test_head_of_an_event_stream_ends_while_runs_are_queued(api):
    experiment = api.post("/v1/experiments", json={"run": BASIC}).json()
    head = api.head(f"/v1/experiments/{experiment['id']}/events")
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert not api.app.state.event_streams._streams


def test_what_only_takes_post_says_so_to_head(api):
    experiment = api.post("/v1/experiments", json={"run": BASIC}).json()
    head = api.head(f"/v1/experiments/{experiment['id']}/cancel")
    assert (head.status_code, head.headers["allow"]) == (405, "POST")
    assert "HEAD" in api.post("/livez").headers["allow"]
