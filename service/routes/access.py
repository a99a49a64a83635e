"""Who may call what: the guard before every route that shows or changes anything."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPBearer

from service.edge.rates import WINDOW_SECONDS, Rates
from service.errors import Forbidden, TryLater
from service.routes.dependencies import get_database, get_limits, presented_key
from service.use_cases.keys import Holder, Scope, find_holder
from service.values.addresses import is_outside

_BEARER = HTTPBearer(
    scheme_name="api_key",
    auto_error=False,
    description="A key made by `rankward keys create`; not asked for by a service that only listens on the loopback.",
)
_SCOPE_OF: dict[str, Scope] = {"GET": "read", "HEAD": "read", "DELETE": "admin"}
"""Everything else changes something that can be made again, and takes `submit`."""
_SCOPE_OF_POST: dict[str, Scope] = {"delete": "admin", "query": "read"}


async def guard(
    request: Request,
    _documented: Annotated[object, Depends(_BEARER)],
) -> None:
    """Let a request pass if its key may do that, and count it.

    Raises:
        Unauthenticated: no key, or one that is not valid.
        Forbidden: the key has not the scope of this method.
        TryLater: the key has had its requests of this minute.
    """
    request.state.holder = None
    if not asks_for_keys(request):
        return
    database, limits = await get_database(request), await get_limits(request)
    holder = await run_in_threadpool(find_holder, database, presented_key(request), limits)
    request.state.holder, request.state.key = holder, holder.prefix
    _count(request, holder)
    scope = _scope_of(request)
    if not holder.may(scope):
        has = ", ".join(sorted(holder.scopes))
        raise Forbidden(f"This takes the scope {scope!r}; the key {holder.prefix} has {has}.", scope)


async def get_holder(request: Request) -> Holder | None:
    """Whose key the guard let pass; None where no key is asked for."""
    return request.state.holder


HolderDependency = Annotated[Holder | None, Depends(get_holder)]


def _scope_of(request: Request) -> Scope:
    """By the method; of a POST by the end of its path, as forms can only POST, and a query in a body only reads."""
    if request.method == "POST":
        return _SCOPE_OF_POST.get(request.url.path.rpartition("/")[2], "submit")
    return _SCOPE_OF.get(request.method, "submit")


def asks_for_keys(request: Request) -> bool:
    """Whether a key is needed: where the settings say so, and on any connection that another machine can open."""
    server = request.scope.get("server")
    return request.app.state.settings.keys_required or (server is not None and is_outside(server[0]))


def _count(request: Request, holder: Holder) -> None:
    rates: Rates = request.app.state.rates
    rate = rates.take(holder.id, int(holder.quotas["max_requests_per_minute"]))
    request.state.rate = rate
    if not rate.allowed:
        raise TryLater(
            f"The key {holder.prefix} has had the {rate.quota:,} requests that max_requests_per_minute gives it in "
            f"{WINDOW_SECONDS} seconds; wait as Retry-After says.",
            rate.reset,
        )
