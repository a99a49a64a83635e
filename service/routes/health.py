"""/livez and /readyz"""

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from service.errors import NotReady
from service.problems import RESPONSES
from service.routes.dependencies import DatabaseDependency
from service.store.migrate import is_current

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
    """Whether the database answers and has the newest schema."""
    try:
        current = is_current(database)
    except SQLAlchemyError as error:
        raise NotReady(f"The database does not answer: {error}") from error
    if not current:
        raise NotReady("The database does not have the newest schema; run `rankward migrate`.")
    return Health()
