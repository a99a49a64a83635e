"""/v1/presets"""

from typing import Any

from fastapi import APIRouter

from service import presets
from service.edge.problems import RESPONSES
from service.schemas.lists import Page, PresetSummary

router = APIRouter(prefix="/v1/presets", tags=["presets"], responses=RESPONSES)


@router.get("")
def list_all() -> Page[PresetSummary]:
    """List the presets."""
    return Page(items=presets.list_presets(), next=None)


@router.get("/{name}")
def get(name: str) -> dict[str, Any]:
    """Get a preset: an experiment ready to post."""
    return presets.get_preset(name)
