"""Variables of the environment that look like settings and are none: a mistyped name would change nothing, silently."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from service.settings import PREFIX, Limits, Settings

_OF_CLIENTS = {f"{PREFIX}URL", f"{PREFIX}API_KEY"}
_OF_COMPOSE = {f"{PREFIX}PUBLISH", f"{PREFIX}VERSION"}
"""Read by docker-compose.yml; whoever keeps them in a shell has done nothing wrong."""


def strange_variables(environment: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Names that begin like settings and are none, and the setting that was most likely meant."""
    fields = {f"{PREFIX}{name.upper()}" for name in (*Settings.model_fields, *Limits.model_fields)}
    readable = fields | {f"{PREFIX}{name.upper()}_FILE" for name in Settings.model_fields} | _OF_CLIENTS
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in readable | _OF_COMPOSE:
            yield name, next(iter(get_close_matches(name.upper(), readable, n=1, cutoff=0.7)), None)
