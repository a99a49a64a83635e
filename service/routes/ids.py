"""Short ids in paths: every route that has an `{experiment_id}` or a `{run_id}` gets the whole one."""

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from service.routes.dependencies import get_database
from service.store.short_ids import Resource, is_short
from service.use_cases.short_ids import whole_id

_RESOURCES: dict[str, Resource] = {"experiment_id": "experiment", "run_id": "run"}


async def expand_ids(request: Request) -> None:
    """Put whole ids in the place of short ones before the route reads them; whole ones cost nothing.

    Raises:
        AmbiguousId: a short id stands for several.
    """
    for name, resource in _RESOURCES.items():
        text = request.path_params.get(name)
        if text is not None and is_short(text):
            database = await get_database(request)
            request.path_params[name] = await run_in_threadpool(whole_id, database, resource, text)
