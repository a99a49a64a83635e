"""/docs: Swagger UI from this server's own files, so that reading the documentation asks nobody else for anything."""

from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)
assets = StaticFiles(directory=str(files("fastapi_offline") / "static"))
ASSETS_PATH = "/docs/assets"

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rankward: calls</title>
<link rel="stylesheet" href="%(root)s%(assets)s/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"></div>
<script src="%(root)s%(assets)s/swagger-ui-bundle.js"></script>
<script src="%(root)s/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "%(root)s/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null
});
"""


@router.get("/docs")
def show_calls(request: Request) -> HTMLResponse:
    """Show all calls, to read and to try."""
    return HTMLResponse(_PAGE % _addresses(request))


@router.get("/docs/start.js")
def start(request: Request) -> Response:
    """Start Swagger UI; a file of its own, because pages run no scripts that stand in them."""
    return Response(_START % _addresses(request), media_type="text/javascript")


def _addresses(request: Request) -> dict[str, str]:
    return {"root": request.app.state.settings.root_path, "assets": ASSETS_PATH}
