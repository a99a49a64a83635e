"""/v1/experiments/{id}/archive, /size, and /v1/experiments/import"""

import tempfile
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response

from service.edge.problems import BODY_RESPONSES, RESPONSES
from service.errors import PayloadTooLarge
from service.exports.formats import FORMATS
from service.limits import exceeded
from service.routes.access import HolderDependency
from service.routes.answers import answers_with, json_answer, stream
from service.routes.dependencies import DatabaseDependency, LimitsDependency
from service.schemas.experiments import ExperimentSize, Imported
from service.settings import Limits
from service.use_cases import archives

router = APIRouter(prefix="/v1/experiments", tags=["experiments"], responses=RESPONSES)
_PARQUET = FORMATS["parquet"].media_type
_BINARY: dict[str, Any] = {"content": {_PARQUET: {"schema": {"type": "string", "format": "binary"}}}}


@router.get("/{experiment_id}/size")
def size(database: DatabaseDependency, experiment_id: str) -> ExperimentSize:
    """Count the runs and the points of an experiment, and estimate the bytes they take."""
    return archives.get_size(database, experiment_id)


@router.get(
    "/{experiment_id}/archive",
    response_class=Response,
    responses={200: {**answers_with("Content-Disposition")[200], **_BINARY}},
)
def get_archive(database: DatabaseDependency, limits: LimitsDependency, experiment_id: str) -> Response:
    """Get an experiment that is over as a Parquet file with the specs, summaries, points and states of its runs."""
    return stream(archives.archive(database, experiment_id, limits))


async def _received(request: Request, limits: LimitsDependency) -> Any:
    """The body in a file, which is there until the answer."""
    with tempfile.TemporaryDirectory(prefix="rankward-import-") as folder:
        path = Path(folder) / "archive.parquet"
        await _write(request, path, limits)
        yield path


async def _write(request: Request, path: Path, limits: Limits) -> None:
    written = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            written += len(chunk)
            if written > limits.max_archive_bytes:
                raise PayloadTooLarge(
                    exceeded("The bytes of this archive are at least", written, limits, "max_archive_bytes")
                )
            await to_thread.run_sync(file.write, chunk)


@router.post(
    "/import",
    status_code=201,
    response_model=Imported,
    responses={**BODY_RESPONSES, 200: {"model": Imported, "description": "It was there already"}},
    openapi_extra={"requestBody": {"required": True, **_BINARY}},
)
def import_archive(
    database: DatabaseDependency,
    limits: LimitsDependency,
    holder: HolderDependency,
    path: Annotated[Path, Depends(_received)],
) -> Response:
    """Store the experiment of an archive again, with its ids; what is there already is left as it is (200)."""
    from service.use_cases.imports import import_archive as store  # pyarrow takes a moment

    imported = store(database, path, limits, holder)
    location = f"/v1/experiments/{imported.experiment.id}"
    return json_answer(imported.model_dump(), {"Location": location}, 201 if imported.is_new else 200)
