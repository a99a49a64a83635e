"""The Python client, which needs nothing heavy; `from rankward import Rankward` is the same."""

from service.client.api import (
    RUNS_PER_PAGE,
    Format,
    Json,
    NotInstalled,
    NotJson,
    Rankward,
    ServerSaidNo,
    ServerUnreachable,
)
from service.client.calls import DEFAULT_URL

__all__ = [
    "DEFAULT_URL",
    "RUNS_PER_PAGE",
    "Format",
    "Json",
    "NotInstalled",
    "NotJson",
    "Rankward",
    "ServerSaidNo",
    "ServerUnreachable",
]
