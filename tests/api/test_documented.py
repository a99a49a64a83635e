"""The OpenAPI document says what can be asked and what comes back."""

import pytest

from service.exports.formats import FORMATS

MEDIA = {one.media_type for one in FORMATS.values()}
POINTS = {"metrics", "from_step", "to_step", "max_points", "format", "accept"}
LIST = {"where", "order_by", "cursor", "limit"}


@pytest.mark.parametrize(
    ("path", "parameters", "answers", "headers"),
    [
        ("/v1/runs", LIST | {"experiment_id", "status", "fields", "format", "accept"}, {200, 406, 422}, {"Link"}),
        ("/v1/experiments", LIST, {200, 422}, {"Link"}),
        ("/v1/runs/{run_id}", {"run_id", "if-none-match"}, {200, 304, 404}, {"ETag"}),
        ("/v1/runs/{run_id}/trajectory", POINTS | {"run_id", "if-none-match"}, {200, 304, 404, 406, 422}, {"ETag"}),
        ("/v1/trajectories", POINTS | {"where", "experiment_id"}, {200, 406, 422}, {"Rankward-Thinned"}),
        (
            "/v1/experiments/{experiment_id}/summary",
            {"experiment_id", "group_by", "metric", "where"},
            {200, 422},
            set(),
        ),
        (
            "/v1/experiments/{experiment_id}/curves",
            {"experiment_id", "group_by", "metric", "where", "x", "places"},
            {200, 404, 422},
            set(),
        ),
    ],
)
def test_a_path_is_documented(api, path, parameters, answers, headers):
    asked = api.get("/openapi.json").json()["paths"][path]["get"]
    assert {one["name"] for one in asked["parameters"]} == parameters
    assert {str(status) for status in answers} <= set(asked["responses"])
    success = asked["responses"]["200"]
    assert headers <= set(success.get("headers", {}))
    assert "application/json" in success["content"]
    if "format" in parameters:
        assert set(success["content"]) == MEDIA


def test_a_mistake_in_a_text_is_documented(api):
    fields = api.get("/openapi.json").json()["components"]["schemas"]["ProblemField"]["properties"]
    assert {"pointer", "detail", "character", "excerpt"} == set(fields)
