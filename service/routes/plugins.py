"""/v1/plugins"""

from fastapi import APIRouter

from service.edge.problems import RESPONSES
from service.schemas.lists import Plugins

router = APIRouter(prefix="/v1/plugins", tags=["plugins"], responses=RESPONSES)


@router.get("")
def list_all() -> Plugins:
    """List the plugins: none, as the service takes no models of others yet."""
    return Plugins()
