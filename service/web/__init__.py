"""The web pages: server-rendered, readable without scripts, live with them; nothing is asked of any other server."""

from service.web import assets, compare, experiments, gallery, groups, guide, runs, sign_in, submission
from service.web.errors import install

__all__ = ["install", "open_routers", "routers"]

open_routers = (assets.router, sign_in.router, guide.router)
"""What needs no key."""

routers = (
    experiments.router,
    experiments.acts,
    groups.router,
    runs.router,
    runs.acts,
    compare.router,
    gallery.router,
    submission.router,
    submission.acts,
)
