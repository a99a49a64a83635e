"""Variables of the environment that look like settings and are none: a mistyped name would change nothing, silently."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from service.values.variables import OF_CLIENTS, PREFIX

_OF_COMPOSE = {f"{PREFIX}PUBLISH", f"{PREFIX}VERSION"}
"""Read by docker-compose.yml; whoever keeps them in a shell has done nothing wrong."""


def strange_variables(environment: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Names that begin like settings and are none, and the setting that was most likely meant.

    Where the server is not installed its settings are unknown: then only what is near a variable of clients is told.
    """
    suspects = [name for name in sorted(environment) if name.upper().startswith(PREFIX)]
    suspects = [name for name in suspects if name.upper() not in OF_CLIENTS | _OF_COMPOSE]
    of_server = _of_server() if suspects else set[str]()
    for name in suspects:
        if name.upper() not in of_server:
            near = get_close_matches(name.upper(), of_server | OF_CLIENTS, n=1, cutoff=0.7)
            if near or of_server:
                yield name, next(iter(near), None)


def _of_server() -> set[str]:
    """The variables that the server reads; none where it is not installed."""
    try:
        from service.settings import Limits, Settings
    except ModuleNotFoundError:
        return set()
    fields = {f"{PREFIX}{name.upper()}" for name in (*Settings.model_fields, *Limits.model_fields)}
    return fields | {f"{PREFIX}{name.upper()}_FILE" for name in Settings.model_fields}
