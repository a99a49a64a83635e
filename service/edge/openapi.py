"""The OpenAPI document: what a run is stands in it as the schema that runs are validated by."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from service.schemas.problems import Problem
from service.schemas.requests import ExperimentChanges, ExperimentRequest, Extension
from workers.runs.spec import RunSpec

_REFERENCE = "#/components/schemas/{model}"


JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"


def request_body(model: type[BaseModel], *types: str) -> dict[str, Any]:
    """How a route that takes a raw body, checked by `model` later, documents it.

    Args:
        types: media types of the body; JSON without them.
    """
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    content = {type_: {"schema": schema} for type_ in types or (JSON,)}
    return {"requestBody": {"required": True, "content": content}}


def document_specs(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> None:
    """Add the schemas of bodies and of a run to an application's document, once it is asked for."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schemas = plain().setdefault("components", {}).setdefault("schemas", {})
            for model in (RunSpec, ExperimentRequest, ExperimentChanges, Extension, Problem, *bodies):
                schema = model.model_json_schema(ref_template=_REFERENCE)
                schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
            run = schemas[ExperimentRequest.__name__]["properties"]["run"]
            run["anyOf"] = [{"$ref": _REFERENCE.format(model=RunSpec.__name__)}, {"type": "object"}]
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi
