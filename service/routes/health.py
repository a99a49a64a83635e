"""/livez and /readyz"""

from fastapi import APIRouter
from pydantic import BaseModel

from service.problems import RESPONSES
from service.routes.dependencies import DatabaseDependency
from service.store.migrate import check_schema
from service.use_cases.dispatchers import check_dispatcher

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


@router.get("/livez")
def live() -> Health:
    """Whether the process answers."""
    return Health()


@router.get("/readyz", responses={503: RESPONSES[404]})
def ready(database: DatabaseDependency) -> Health:
    """Whether the database answers, has the newest schema, and a dispatcher is at work."""
    check_schema(database)
    check_dispatcher(database)
    return Health()
