"""What stands in front of the service: proxies, a path prefix, an address that people know it by.

Inside the application every path begins at /, and every Location and Link is written so. Here the prefix is taken off
requests and put in front of what answers refer to.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Scope

from service.errors import MalformedRequest
from service.settings import Settings
from service.values.addresses import host_name, is_within

_SCHEMES = ("http", "https")


class Front:
    """The outside of the service, as the settings describe it."""

    def __init__(self, settings: Settings) -> None:
        self._root_path = settings.root_path
        self._proxies = settings.trusted_networks
        self._public_origin = settings.public_origin

    def inside(self, scope: Scope) -> Scope:
        """A request as the application sees it.

        Its path is without the prefix, whether a proxy has removed that or not, and without slashes at the end; its
        scheme is the one that a trusted proxy was asked by; HEAD is GET, whose body is left out on the way back.
        """
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = _without_prefix(scope["path"], self._root_path).rstrip("/") or "/"
        return {**scope, "method": method, "path": path, "root_path": "", "scheme": self._scheme(scope)}

    def authorities(self, scope: Scope) -> list[str]:
        """The names by which this server was asked: in Host, and before a trusted proxy.

        Raises:
            MalformedRequest: one of them is no host and port, or there are several Host headers.
        """
        headers = Headers(scope=scope)
        given = headers.getlist("host") or [""]
        if len(given) > 1:
            raise MalformedRequest(f"This request has {len(given)} Host headers; send one.")
        if self._trusts(scope) and (forwarded := _first(headers, "x-forwarded-host")):
            given.append(forwarded)
        for authority in given:
            if host_name(authority) is None:
                raise MalformedRequest(f"{authority!r} is no host name with or without a port.")
        return given

    def is_same_origin(self, origin: str, authorities: list[str]) -> bool:
        """Whether a page of this server may have sent a request, given its Origin header (RFC 6454).

        Schemes are not compared with those of the connection: whoever stands in front may speak TLS for us.
        """
        scheme, _, authority = origin.lower().partition("://")
        names_this_server = scheme in _SCHEMES and authority in [given.lower() for given in authorities]
        return names_this_server or origin == self._public_origin

    def is_public_name(self, host: str) -> bool:
        """Whether a host is the one of the public origin."""
        return self._public_origin is not None and host == host_name(self._public_origin.partition("://")[2])

    def show_outside(self, headers: MutableHeaders) -> None:
        """Put the prefix in front of the paths that an answer's headers refer to."""
        if not self._root_path:
            return
        if (location := headers.get("location", "")).startswith("/"):
            headers["location"] = self._root_path + location
        if (link := headers.get("link", "")).startswith("</"):
            headers["link"] = f"<{self._root_path}{link[1:]}"

    def _scheme(self, scope: Scope) -> str:
        forwarded = _first(Headers(scope=scope), "x-forwarded-proto").lower() if self._trusts(scope) else ""
        return forwarded if forwarded in _SCHEMES else scope["scheme"]

    def _trusts(self, scope: Scope) -> bool:
        """Whether the request came from a proxy whose headers are believed: anybody else can write what they like."""
        client = scope.get("client")
        return bool(self._proxies) and client is not None and is_within(client[0], self._proxies)


def _first(headers: Headers, name: str) -> str:
    """What the proxy nearest to the client said, of several in a row."""
    return headers.get(name, "").partition(",")[0].strip()


def _without_prefix(path: str, prefix: str) -> str:
    return path[len(prefix) :] if path == prefix or path.startswith(f"{prefix}/") else path
