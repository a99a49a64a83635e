"""The OpenAPI document: what a run is stands in it as the schema that runs are validated by."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from service.schemas import ExperimentChanges, ExperimentRequest, Extension, Problem
from workers.runs.spec import RunSpec

_REFERENCE = "#/components/schemas/{model}"


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """How a route that takes a raw body, checked by `model` later, documents it."""
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def document_specs(app: FastAPI) -> None:
    """Add the schemas of the request and of a run to an application's document, once it is asked for."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schemas = plain().setdefault("components", {}).setdefault("schemas", {})
            for model in (RunSpec, ExperimentRequest, ExperimentChanges, Extension, Problem):
                schema = model.model_json_schema(ref_template=_REFERENCE)
                schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
            run = schemas[ExperimentRequest.__name__]["properties"]["run"]
            run["anyOf"] = [{"$ref": _REFERENCE.format(model=RunSpec.__name__)}, {"type": "object"}]
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi
