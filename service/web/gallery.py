"""/presets: what can be run at once, each with a picture of what it shows."""

from fastapi import APIRouter, Request, Response

from service import presets
from service.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/presets")
def gallery(request: Request) -> Response:
    """All presets."""
    items = presets.list_presets()
    drawn = {preset.name for preset in items if presets.has_pictures(preset.name)}
    return page(request, "presets.html", presets=items, drawn=drawn, picture_name=presets.picture_name)
